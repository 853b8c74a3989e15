"""Lazy loading on other hosts: whose Sablier is asked where, who may sleep there, and what the linter says of it."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core import lazy
from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.derived import LabAfter
from homelab_mcp.core.derived.sablier import sablier_file
from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.lazy_hosts import NOBODY, asked_at, unwoken
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.lazy_request import LazyRequest
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.operations.set_lazy_loading import set_lazy_loading
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.operation_parts import SETTINGS, find
from tests.unit.core.test_lazy import APPS, TRAEFIK, after

HOSTS = "hosts:\n  nas: {address: 'ssh://root@nas.lan', private: 10.0.0.2}\n"
PORT = "traefik.http.services.wiki.loadbalancer.server.port=80"
AWAY = with_host(
    APPS.replace("      - traefik.enable=true\n", f"      - traefik.enable=true\n      - {PORT}\n").replace(
        "    restart: always\n    depends_on", '    restart: always\n    ports: ["10.0.0.2:8080:80"]\n    depends_on'
    ),
    "nas",
)
SERVER = with_host(
    'services:\n  naps:\n    image: sablierapp/sablier:1.16.2\n    ports: ["10.0.0.2:20000:10000"]\n', "nas"
)


def lab(apps: str = AWAY, server: str = SERVER, core: str = TRAEFIK) -> Snapshot:
    stacks = [StackFiles("apps", "apps/compose.yaml", apps), StackFiles("core", "core/compose.yaml", core)]
    stacks += [StackFiles("lazy-nas", "lazy-nas/compose.yaml", server)] if server else []
    return Snapshot(tuple(stacks), None, None)


def ask(snapshot: Snapshot, *, on: bool = True, hosts: str = HOSTS) -> Draft:
    request = LazyRequest(stack="apps", service="wiki", on=on)
    return set_lazy_loading(snapshot, SETTINGS, request, find=find, read={"hosts.yaml": hosts}.get)


def asked(snapshot: Snapshot, hosts: str = HOSTS) -> dict[str, Any]:
    """Middleware -> the Sablier that it asks."""
    files = {"hosts.yaml": hosts}
    made = list(sablier_file(LabAfter(snapshot, SETTINGS, view(snapshot), files.get, lambda n: None, "/lab")))
    if not made or made[0].text is None:
        return {}
    middlewares = load(made[0].text)["http"]["middlewares"]
    return {name: m["plugin"]["sablier"]["sablierUrl"] for name, m in middlewares.items()}


def test_each_host_s_own_sablier_is_asked_at_its_private_address() -> None:
    both = lab()
    local = StackFiles("more", "more/compose.yaml", APPS.replace("wiki", "notes"))
    both = Snapshot((*both.stacks, local), None, None)
    slept = after(both, ask(both))
    request = LazyRequest(stack="more", service="notes", on=True)
    slept = after(slept, set_lazy_loading(slept, SETTINGS, request, find=find, read=lambda _: None))
    assert asked(slept) == {"sablier-notes": "http://sleeper:10000", "sablier-wiki": "http://10.0.0.2:20000"}
    shut = {"sablier-notes": "http://sleeper:10000", "sablier-wiki": NOBODY}
    for hosts in ("", "hosts: {nas: {address: 'ssh://root@nas.lan', private: 8.8.8.8}}\n", HOSTS.replace("0.2", "0.9")):
        assert asked(slept, hosts=hosts) == shut, "a route that nobody can wake is shut"
    alone = Snapshot(tuple(s for s in slept.stacks if s.name != "lazy-nas"), None, None)
    assert asked(alone) == shut, "this machine's wakes nobody there"


def test_of_a_group_on_several_hosts_the_lab_s_own_machine_is_asked_and_the_other_is_told() -> None:
    both = lab()
    both = after(both, ask(both))
    asleep = next(s for s in both.stacks if s.name == "apps").compose_text.replace("host: nas", "host: local")
    both = Snapshot((*both.stacks, StackFiles("more", "more/compose.yaml", asleep)), None, None)
    assert asked(both) == {"sablier-wiki": "http://sleeper:10000"}
    assert unwoken(view(both), {"nas": "10.0.0.2"}) == {
        "apps/wiki": "its group wiki is one of this machine too, whose Sablier is asked"
    }


def test_labels_are_as_beside_traefik_but_for_the_route_that_a_file_keeps() -> None:
    labels = labels_of(services_of(read(ask(lab()).edits[0].after or ""))["wiki"])
    assert lazy.KEEP_ROUTE not in labels
    assert labels["traefik.http.routers.wiki.middlewares"] == "authelia@docker,sablier-wiki@file"
    assert (labels["sablier.enable"], labels["sablier.group"]) == ("true", "wiki")


def test_off_gives_the_bytes_from_before() -> None:
    slept = after(lab(), ask(lab()))
    assert slept != lab()
    assert after(slept, ask(slept, on=False)) == lab()


@pytest.mark.parametrize(
    ("snapshot", "hosts", "code", "words"),
    [
        (lab(), "hosts:\n  nas: {address: 'ssh://root@nas.lan'}\n", "no_private_address", "no private address"),
        (lab(AWAY.replace("10.0.0.2:8080", "8080")), HOSTS, "no_route", "not published on 10.0.0.2"),
        (lab(server=SERVER.replace("10.0.0.2:", "")), HOSTS, "sablier_unreached", "not published on 10.0.0.2"),
        (lab(server=""), HOSTS, "no_sablier", "Host nas has no Sablier"),
        (lab(f"{AWAY}  proxy:\n    image: traefik:v3.7.13\n"), HOSTS, "lazy_refused", "A Traefik of its own"),
        (lab(core="services: {}\n"), HOSTS, "no_traefik", "no Traefik"),
    ],
)
def test_who_cannot_be_woken_there_is_refused_with_the_way_out(
    snapshot: Snapshot, hosts: str, code: str, words: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(snapshot, hosts=hosts)
    assert (refused.value.code, words in refused.value.message) == (code, True), refused.value.message
    assert refused.value.hint


def test_who_is_asked_and_why_nobody() -> None:
    nas = {"nas": "10.0.0.2"}
    assert asked_at(view(lab()), "nas", nas) == ("http://10.0.0.2:20000", "")
    assert asked_at(view(lab()), "attic", nas) == ("", "there is none")
    assert asked_at(view(lab()), "nas", {})[1] == "no private address of host nas is known"
    own = lab(f"{AWAY}  proxy:\n    image: traefik:v3.7.13\n")
    assert asked_at(view(own), "nas", nas)[1] == "host nas has a Traefik of its own"


def test_a_sablier_stays_while_somebody_sleeps_on_its_host_and_no_longer() -> None:
    def remove(snapshot: Snapshot, stack: str, service: str) -> Draft:
        request = RemoveServiceRequest(stack=stack, service=service)
        return remove_service(snapshot, SETTINGS, request, find=find)

    slept = after(lab(), ask(lab()))
    with pytest.raises(InvalidInput) as needed:
        remove(slept, "lazy-nas", "naps")
    assert (needed.value.code, "wakes apps/wiki" in needed.value.message) == ("has_dependents", True)
    assert remove(slept, "core", "sablier").edits, "nobody sleeps here"
    assert remove(lab(), "lazy-nas", "naps").edits


def test_the_linter_says_of_a_sleeper_that_nobody_wakes_it() -> None:
    slept = after(lab(), ask(lab()))

    def told(server: str) -> list[str]:
        stacks = [s for s in slept.stacks if s.name != "lazy-nas"]
        stacks += [StackFiles("lazy-nas", "lazy-nas/compose.yaml", server)] if server else []
        linted = [LintStack(s.name, s.compose_path, s.compose_text, {}) for s in stacks]
        return [f.message for f in lint(linted, facts=LabFacts(hosts={"nas": "10.0.0.2"})) if f.rule == "HL270"]

    sleeps = "No route leads to wiki on nas: it sleeps, and the Sablier of nas cannot wake it: "
    assert told(SERVER) == []
    assert told("") == [f"{sleeps}there is none."]
    (unpublished,) = told(SERVER.replace("10.0.0.2:", ""))
    assert unpublished.startswith(f"{sleeps}it is on host nas, and port 10000")


def test_the_linter_asks_for_no_label_that_keeps_a_route_which_is_in_a_file() -> None:
    def found(snapshot: Snapshot) -> set[str]:
        stacks = [LintStack(s.name, s.compose_path, s.compose_text, {}) for s in snapshot.stacks]
        return {f.rule for f in lint(stacks, facts=LabFacts(hosts={"nas": "10.0.0.2"}))}

    slept = after(lab(), ask(lab()))
    assert not found(slept) & {"HL081", "HL089", "HL270", "HL271"}
    here = Snapshot(
        tuple(
            StackFiles(s.name, s.compose_path, s.compose_text.replace("host: nas", "host: local")) for s in slept.stacks
        ),
        None,
        None,
    )
    assert "HL089" in found(here)
