"""What the start page says of a service on another host: addresses that Homepage reaches, and nothing of ``.env``."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core.derived import LabAfter
from homelab_mcp.core.derived.homepage import homepage_services
from homelab_mcp.core.homepage import external_entries
from homelab_mcp.core.host_routes import host_routes
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.set_widget import SetWidgetRequest, set_widget
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.observed import Snapshot, StackFiles
from tests.unit.core.operation_parts import SETTINGS, definition
from tests.unit.core.test_host_routes import CORE, ENV, HOSTS, NAS, WEB


def entry(extra: str = "", *, web: str = WEB, env: str = ENV) -> dict[str, Any]:
    stacks = (StackFiles("core", "core/compose.yaml", CORE), StackFiles("web", "web/compose.yaml", web + extra, env))
    routes = host_routes(view(Snapshot(stacks, None)), NAS)
    ((group,),) = ([g for g in external_entries(SETTINGS, routes)],)
    (shown,) = group["Apps"]
    return dict(shown["Web"])


def widget(url: str, *more: str, web: str = WEB, env: str = ENV) -> object:
    lines = [f"      homepage.widget.url: {url}", "      homepage.widget.type: web", *(f"      {m}" for m in more)]
    return entry("\n".join(lines) + "\n", web=web, env=env).get("widget")


def test_what_a_label_says_stands_in_the_file_but_for_the_container() -> None:
    more = "      homepage.description: A page\n      homepage.weight: '7'\n      homepage.container: web\n"
    assert entry(f"{more}      homepage.server: local\n      homepage.ping: web\n") == {
        "href": "https://web.lab.test",
        "description": "A page",
        "weight": "7",
        "siteMonitor": "http://10.0.0.2:10080",
    }


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        ("http://web:80", "http://10.0.0.2:10080"),
        ("http://web/api/", "http://10.0.0.2:10080/api/"),
        ("http://web:9999", ""),
        ("http://db:80", ""),
        ("https://web.lab.test", "https://web.lab.test"),
        ("http://10.0.0.9:8096", "http://10.0.0.9:8096"),
        ("https://web.${DOMAIN}/api", "https://web.lab.test/api"),
        ("http://web.lab.test/?token=${KEY}", ""),
        ("http://user:word@web.lab.test", ""),
        ("http://web:port", ""),
        ("http://web.lab.test:port", ""),
        ("'http://[fd00::2:80/'", ""),
        ("'http://[fd00::2]:80/'", "http://[fd00::2]:80/"),
        ("http://web.lab.test/${KEY}/api", ""),
        ("http://web.lab.test/${DOMAIN}/api", ""),
        ("http://${KEY}.lab.test/", ""),
        ("http://${KEY:-web}.lab.test/", ""),
        ("${WHOLE}", ""),
        ("http://${PATHLY_HOST}", ""),
        ("http://web.lab.test/$$x", ""),
        ("http://127.0.0.1:80", ""),
        ("http://127.1:80", ""),
        ("http://0.0.0.0:80", ""),
        ("'http://[::1]:80'", ""),
        ("'http://[::ffff:127.0.0.1]:80'", ""),
        ("http://172.17.0.1:80", ""),
        ("http://localhost:80", ""),
        ("http://a.localhost:80", ""),
        ("http://host.docker.internal:80", ""),
    ],
)
def test_a_widget_asks_at_an_address_that_homepage_reaches_or_is_left_out(url: str, reached: str) -> None:
    expected = {"url": reached, "type": "web"} if reached else None
    assert (
        widget(url, env=f"{ENV}KEY=canary\nWHOLE=http://web.lab.test/canary\nPATHLY_HOST=web.lab.test/canary\n")
        == expected
    )


@pytest.mark.parametrize("name", ["API_TOKEN", "BASE", "UNSET"])
def test_a_label_that_takes_a_value_which_may_be_secret_is_left_out(name: str) -> None:
    env = f"{ENV}API_TOKEN=canary\nBASE=Canary8x2Kq91zPw\nWEB_HOST=web\n"
    more = "".join(f"      homepage.{k}: 'https://x.lab.test/${{{name}}}'\n" for k in ("description", "icon"))
    kept = "      homepage.target: '${WEB_HOST}.$DOMAIN costs 5$$'\n"
    shown = entry(
        f"{more}{kept}", web=WEB.replace("homepage.href: https://web.${DOMAIN}", f"homepage.href: ${name}"), env=env
    )
    assert shown == {"target": "web.lab.test costs 5$", "siteMonitor": "http://10.0.0.2:10080"}


def test_values_of_env_stay_out_and_homepage_s_own_variables_go_along() -> None:
    good = widget("http://web:80", "homepage.widget.key: '{{HOMEPAGE_VAR_WEB_KEY}}'", "homepage.widget.a.b: 'x$$y'")
    assert good == {
        "url": "http://10.0.0.2:10080",
        "type": "web",
        "key": "{{HOMEPAGE_VAR_WEB_KEY}}",
        "a": {"b": "x$y"},
    }
    for secret in ("${KEY}", "$KEY", "$$${KEY}", "${KEY:-none}"):
        assert widget("http://web:80", f"homepage.widget.key: '{secret}'", env=f"{ENV}KEY=canary\n") is None
    assert widget("http://web:80", "homepage.widget.mappings[0].field: a") is None
    assert widget("http://web:80", "homepage.widget.a: x", "homepage.widget.a.b: y") is None


def test_on_the_host_s_own_network_the_port_is_the_container_s() -> None:
    on_host = WEB.replace("    ports:", "    network_mode: host\n    expose:")
    assert widget("http://web:8080", web=on_host) == {"url": "http://10.0.0.2:8080", "type": "web"}


def test_who_sleeps_is_not_shown_as_down() -> None:
    asleep = "      sablier.enable: 'true'\n      sablier.group: web\n      homelab.lazy: dynamic\n"
    assert "siteMonitor" not in entry(asleep)


def test_a_service_of_swarm_is_a_link_alone() -> None:
    swarm = WEB.replace("host: nas", "engine: swarm")
    shown = entry("      homepage.widget.url: http://web:80\n      homepage.widget.type: web\n", web=swarm)
    assert shown == {"href": "https://web.lab.test"}, "only Traefik is in the network that leads there"


def test_a_homepage_on_another_host_gets_no_file_of_this_machine() -> None:
    core, page = CORE.partition("  homepage:")[0], CORE.partition("  homepage:")[2]
    stacks = (
        StackFiles("core", "core/compose.yaml", core),
        StackFiles("far", "far/compose.yaml", with_host(f"services:\n  homepage:{page}", "nas")),
        StackFiles("web", "web/compose.yaml", WEB, ENV),
    )
    snapshot = Snapshot(stacks, "domain: lab.test\n")
    files = {"hosts.yaml": HOSTS}
    lab = LabAfter(snapshot, SETTINGS, view(snapshot), files.get, lambda _: None, "/lab")
    assert list(homepage_services(lab)) == []


def test_a_widget_of_a_service_elsewhere_says_where_it_is_asked() -> None:
    sonarr = WEB.replace("  web:\n", "  sonarr:\n").replace("labels:\n", "labels:\n      homelab.service: sonarr\n")
    env = "HOMEPAGE_VAR_SONARR_KEY=canary\n"
    stacks = (
        StackFiles("core", "core/compose.yaml", CORE, env),
        StackFiles("web", "web/compose.yaml", sonarr, ENV),
    )
    draft = set_widget(Snapshot(stacks, None), SetWidgetRequest(service="sonarr"), find=lambda _: definition("sonarr"))
    assert draft.notes == ("Homepage asks it at the private address of host nas, where its port must be published.",)
    after = next(e.after or "" for e in draft.edits if e.path == "web/compose.yaml")
    seen = view(Snapshot((stacks[0], StackFiles("web", "web/compose.yaml", after, ENV)), None))
    (group,) = external_entries(SETTINGS, host_routes(seen, NAS))
    assert group["Apps"][0]["Web"]["widget"] == {
        "type": "sonarr",
        "url": "http://10.0.0.2:10080",
        "key": "{{HOMEPAGE_VAR_SONARR_KEY}}",
    }
    assert "canary" not in str(load(after))
