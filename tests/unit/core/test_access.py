"""What each route asks: read back from labels, and written as Authelia's access rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from homelab_mcp.core import compose_edit
from homelab_mcp.core.access import RouteAccess, accesses, open_pattern
from homelab_mcp.core.derived import LabAfter
from homelab_mcp.core.derived.access_control import access_control, rules_text
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.request import AddServiceRequest
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from tests.unit.core.operation_parts import SETTINGS, definition

SCHEMA = Path(__file__).parents[4] / "shared" / "facts" / "authelia-4.39" / "configuration.json"


def lab(services: dict[str, dict[str, Any]], **files: str) -> LabAfter:
    text = compose_edit.add_services("", services) if services else "services: {}\n"
    snapshot = Snapshot((StackFiles("apps", "apps/compose.yaml", text, "DOMAIN=lab.test\n"),), None)
    return LabAfter(snapshot, SETTINGS, view(snapshot), files.get, lambda _: None, "/lab")


def routed(name: str, *, sso: bool = True, **labels: Any) -> dict[str, Any]:
    router = f"traefik.http.routers.{name}"
    own = {"traefik.enable": "true", f"{router}.rule": f"Host(`{name}.${{DOMAIN}}`)"}
    if sso:
        own[f"{router}.middlewares"] = "authelia@docker"
    return {"image": f"example/{name}:1", "labels": own | {k.replace("__", "."): v for k, v in labels.items()}}


PORTAL: dict[str, Any] = {
    "image": "authelia/authelia:4.39.24",
    "environment": {"X_AUTHELIA_CONFIG": "/config/configuration.yml,/config/access-control.yml"},
    "volumes": ["./authelia/config:/config"],
    **{
        "labels": routed("auth", sso=False)["labels"]
        | {"homelab.sso": "portal", "traefik.http.middlewares.authelia.forwardauth.address": "http://authelia:9091/x"}
    },
}
API = {"traefik.http.routers.app-api.rule": "Host(`app.${DOMAIN}`) && (Path(`/api`) || PathPrefix(`/api/`))"}


def asked(services: dict[str, dict[str, Any]]) -> dict[str, RouteAccess]:
    return {a.host: a for a in accesses(lab(services).view, "authelia@docker", "lab.test")}


def test_the_middleware_on_the_route_decides_and_labels_say_how() -> None:
    found = asked(
        {
            "web": routed("web"),
            "safe": routed("safe", homelab__sso="two_factor", homelab__sso__groups="family, admins"),
            "open": routed("open", sso=False, homelab__sso="bypass", homelab__sso__reason="Own log-in."),
            "bare": routed("bare", sso=False),
            "authelia": PORTAL,
        }
    )
    assert {h.partition(".")[0]: (a.policy, a.groups) for h, a in found.items()} == {
        "auth": ("bypass", ()),
        "bare": ("bypass", ()),
        "open": ("bypass", ()),
        "safe": ("two_factor", ("family", "admins")),
        "web": ("one_factor", ()),
    }
    assert found["open.lab.test"].why == "Own log-in."
    assert found["bare.lab.test"].why == "its route asks for no log-in"
    assert found["auth.lab.test"].portal


def test_a_label_that_says_two_factor_protects_nothing_where_the_route_does_not_ask() -> None:
    found = asked({"web": routed("web", sso=False, homelab__sso="two_factor")})
    assert found["web.lab.test"].policy == "bypass"


def test_a_chain_of_another_file_counts_as_asking_unless_the_service_is_said_to_be_open() -> None:
    chained = routed("web", sso=False, **{"traefik.http.routers.web.middlewares": "secured@file"})
    assert asked({"web": chained})["web.lab.test"].policy == "one_factor"
    chained["labels"]["homelab.sso"] = "bypass"
    assert asked({"web": chained})["web.lab.test"].policy == "bypass"


def test_paths_of_programs_are_open_below_and_nothing_like_them() -> None:
    app = routed("app")
    app["labels"] |= API
    found = asked({"app": app})["app.lab.test"]
    assert (found.policy, found.open_paths) == ("one_factor", (("/api", False), ("/api/", True)))


@pytest.mark.parametrize(
    ("path", "below", "open_", "closed"),
    [
        ("/api", False, ["/api", "/api?x=/../y"], ["/api/", "/api/x", "/apikeys", "/x/api"]),
        (
            "/api/",
            True,
            ["/api/", "/api/v1/items", "/api/a.b/c-d?q=1", "/api/v1/"],
            [
                "/api",
                "/api/..%2fx",
                "/api/../x",
                "/api/..;/x",
                "/api//x",
                "/api/.",
                "/api/%2e%2e/x",
                "/api\\x",
                "/api/a..b",
            ],
        ),
        ("/v1", True, ["/v1", "/v1/", "/v1/a"], ["/v12", "/v1/../a"]),
        ("/", True, ["/", "/a"], ["/..", "/%2e"]),
        ("/status.php", False, ["/status.php"], ["/statusxphp", "/status.php/"]),
    ],
)
def test_open_pattern(path: str, below: bool, open_: list[str], closed: list[str]) -> None:
    pattern = re.compile(open_pattern(path, below=below))
    assert [p for p in open_ if not pattern.search(p)] == []
    assert [p for p in closed if pattern.search(p)] == []


def test_a_service_behind_a_gateway_says_itself_what_its_route_asks() -> None:
    gateway = routed("torrent", homelab__companion_of="torrent")
    main = {"image": "x:1", "network_mode": "service:tunnel", "labels": {"homelab.sso": "two_factor"}}
    found = asked({"tunnel": gateway, "torrent": main})["torrent.lab.test"]
    assert (found.policy, found.where) == ("two_factor", "apps/torrent")


def test_two_services_behind_one_host_ask_what_the_stricter_one_asks() -> None:
    second = routed("web", homelab__sso="two_factor", homelab__sso__groups="admins")
    second["labels"]["traefik.http.routers.web.rule"] = "Host(`web.${DOMAIN}`) && PathPrefix(`/admin`)"
    found = asked({"web": routed("web"), "admin": second})["web.lab.test"]
    assert (found.policy, found.groups) == ("two_factor", ("admins",))


def test_hosts_of_other_domains_and_unknown_ones_have_no_rule() -> None:
    other = routed("web", traefik__http__routers__web__rule="Host(`web.example.org`) || Host(`a.${NOWHERE}`)")
    off = routed("off", traefik__enable="false")
    assert asked({"web": other, "off": off}) == {}


def test_a_plan_says_where_the_log_in_s_middleware_goes_with_its_restart() -> None:
    flag, label = "--providers.docker.allowemptyservices=true", {"traefik.docker.allownonrunning": "true"}
    kept = {**PORTAL, "labels": PORTAL["labels"] | label}

    def told(portal: dict[str, Any], **traefik: Any) -> bool:
        proxy = {"traefik": {"image": "traefik:v3.7.13", **traefik}} if traefik else {}
        (file,) = access_control(lab({**proxy, "authelia": portal}))
        return "404 on every protected route" in file.why

    assert told(PORTAL, command=[flag])
    assert told(kept, command=["--providers.docker=true"])
    assert not told(kept, command=["--providers.docker=true", flag])
    assert not told(PORTAL, environment={"A": "b"}), "its flags may stand in a file"
    assert not told(PORTAL)


def test_the_file_denies_what_no_route_names_and_everyone_but_the_groups() -> None:
    files = {"apps/authelia/config/configuration.yml": "access_control: {default_policy: one_factor}\n"}
    services = {"safe": routed("safe", homelab__sso__groups="family"), "authelia": PORTAL}
    (file,) = access_control(lab(services, **files))
    assert (file.path, file.restart) == ("apps/authelia/config/access-control.yml", (("apps", "authelia"),))
    assert "everybody logs in again" in file.why
    assert file.text is not None
    assert "    # apps/safe: log-in; groups family\n" in file.text
    assert load(file.text) == {
        "access_control": {
            "default_policy": "deny",
            "rules": [
                {"domain": "auth.lab.test", "policy": "bypass"},
                {"domain": "safe.lab.test", "policy": "one_factor", "subject": ["group:family"]},
                {"domain": "safe.lab.test", "policy": "deny"},
            ],
        }
    }


def test_rules_of_a_person_come_first_and_one_for_the_whole_domain_last() -> None:
    own = """
access_control:
  rules:
    - domain: '*.lab.test'
      policy: two_factor
    - domain: ['*.lab.test']
      policy: bypass
      networks: ['192.168.0.0/16']
"""
    files = {"apps/authelia/config/configuration.yml": own}
    (file,) = access_control(lab({"authelia": PORTAL}, **files))
    rules = load(file.text or "")["access_control"]["rules"]
    assert [r["policy"] for r in rules] == ["bypass", "bypass", "two_factor"]
    assert rules[0]["networks"] == ["192.168.0.0/16"]
    files = {"apps/authelia/config/configuration.yml": "session: {redis: {host: x}}\n"}
    (file,) = access_control(lab({"authelia": PORTAL}, **files))
    assert "everybody" not in file.why


def test_nothing_follows_where_authelia_does_not_load_it_or_its_own_file_cannot_be_read() -> None:
    plain = {k: v for k, v in PORTAL.items() if k != "environment"}
    assert list(access_control(lab({"authelia": plain}))) == []
    assert list(access_control(lab({"web": routed("web")}))) == []
    broken = {"apps/authelia/config/configuration.yml": "a: [\n"}
    assert list(access_control(lab({"authelia": PORTAL}, **broken))) == []
    by_command = plain | {
        "command": ["authelia", "--config=/config/configuration.yml", "--config=/config/access-control.yml"]
    }
    assert len(list(access_control(lab({"authelia": by_command})))) == 1


def test_the_rules_fit_authelias_own_schema(capsys: pytest.CaptureFixture[str]) -> None:
    routes = [
        RouteAccess("a.lab.test", "apps/a", "two_factor", ("x", "y"), open_paths=(("/api", True),)),
        RouteAccess("b.lab.test", "apps/b", "bypass", why="line\nbreak: # x"),
    ]
    text = rules_text(
        routes, [{"domain_regex": "^x$", "policy": "deny", "query": [[{"key": "a", "operator": "present"}]]}]
    )
    data = load(text)
    assert [r["policy"] for r in data["access_control"]["rules"]] == ["deny", "bypass", "two_factor", "deny", "bypass"]
    if not SCHEMA.is_file():
        with capsys.disabled():
            print("\nNOT CHECKED against Authelia's own schema (configuration.json is not beside the project)")
        return
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    assert [e.message for e in validator.iter_errors(data)] == []
    data["access_control"]["rules"][0]["policy"] = "maybe"
    assert not validator.is_valid(data)


def test_a_file_without_any_rule_is_whole() -> None:
    assert load(rules_text([]))["access_control"] == {"default_policy": "deny", "rules": []}


def test_a_catalog_service_is_added_with_a_second_factor_and_groups() -> None:
    def labels(**options: Any) -> dict[str, str]:
        request = AddServiceRequest.model_validate({"service": "web", "options": options})
        draft = add_service(
            Snapshot((), None),
            SETTINGS,
            request,
            find=lambda _: definition("web"),
            secrets=lambda *_: "s",
            argon2=lambda _: "h",
            root="/lab",
            read=lambda _: None,
        )
        found: dict[str, str] = load(draft.edits[0].after or "")["services"]["web"]["labels"]
        return found

    added = labels(sso="two_factor", sso_groups=["family", "admins"])
    assert (added["homelab.sso"], added["homelab.sso.groups"]) == ("two_factor", "family,admins")
    assert added["traefik.http.routers.web.middlewares"] == "authelia@docker"
    assert "homelab.sso" not in labels()
    with pytest.raises(InvalidInput, match="groups"):
        labels(sso="bypass", sso_reason="Open.", sso_groups=["family"])
