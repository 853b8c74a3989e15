"""The VPN: services behind a gateway and back, providers, and who comes along when a gateway is made anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import load_catalog
from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.network_sharers import with_sharers
from homelab_mcp.core.operations.leave_gateway import before_removal, removed_from
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.operations.set_vpn import set_vpn
from homelab_mcp.core.operations.vpn_request import VpnRequest
from homelab_mcp.core.ports_freed import with_ports_freed
from homelab_mcp.core.vpn_providers import KNOWN_VARIABLES, PROVIDERS, provider_of
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Verification
from tests.unit.core.operation_parts import SETTINGS

CATALOG = load_catalog()
ENV = "VPN_SERVICE_PROVIDER=mullvad\nWIREGUARD_PRIVATE_KEY=k3y\nWIREGUARD_ADDRESSES=10.64.0.2/32\n"
BEHIND = """# Downloads, by hand.
services:
  gluetun:
    image: qmcgaw/gluetun:v3.41.3
    cap_add: [NET_ADMIN]
    environment:
      - VPN_SERVICE_PROVIDER=${VPN_SERVICE_PROVIDER}
    networks: [traefik-network]
  indexer:
    image: example/indexer:1   # finds things
    container_name: the-indexer
    ports:
      - "9696:9696"
    networks:
      - traefik-network
      - media
    depends_on: [cache]
    labels:
      - traefik.enable=true
      - "traefik.http.routers.indexer.rule=Host(`indexer.lab.test`)"
      - homepage.name=Indexer
      - traefik.http.services.indexer.loadbalancer.server.port=9696
  other:
    image: example/other:1
    hostname: other-host
    networks: [media]
    labels:
      traefik.enable: "true"
      traefik.http.routers.other.rule: Host(`other.lab.test`)
      traefik.http.services.other.loadbalancer.server.port: "8080"
  cache:
    image: example/cache:1
networks:
  traefik-network: {external: true}
  media: {}
"""
ALONE = """services:
  tool:
    image: example/tool:1
    labels:
      traefik.http.routers.tool.rule: "Host(`tool.lab.test`)"
      traefik.http.services.tool.loadbalancer.server.port: "7000"
"""


def lab(text: str = BEHIND, env: str = ENV, *more: StackFiles) -> Snapshot:
    return Snapshot((StackFiles("dl", "dl/compose.yaml", text, env), *more), None)


def ask(snapshot: Snapshot, service: str | None, on: bool | None, **options: str) -> Draft:
    request = VpnRequest.model_validate({"stack": "dl", "service": service, "on": on, **options})
    return set_vpn(snapshot, SETTINGS, request, find=CATALOG.get, root="/lab")


def after(snapshot: Snapshot, draft: Draft) -> Snapshot:
    return replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits))


def services(snapshot: Snapshot) -> dict[str, Any]:
    return services_of(read(snapshot.stacks[0].compose_text))


def refused(snapshot: Snapshot, service: str | None, on: bool | None, **options: str) -> HomelabError:
    with pytest.raises((InvalidInput, NotFound)) as error:
        ask(snapshot, service, on, **options)
    return error.value


def test_what_belongs_to_a_network_moves_to_the_gateway() -> None:
    draft = ask(lab(), "indexer", True)
    found = services(after(lab(), draft))
    client, gateway = found["indexer"], found["gluetun"]
    assert client["network_mode"] == "service:gluetun"
    assert not {"ports", "networks"} & set(client)
    assert client["depends_on"] == {
        "cache": {"condition": "service_started"},
        "gluetun": {"condition": "service_healthy", "restart": True},
    }
    assert labels_of(client) == {"homepage.name": "Indexer"}
    assert gateway["ports"] == ["9696:9696"]
    names = ["indexer", "the-indexer"]
    assert gateway["networks"] == {"traefik-network": {"aliases": names}, "media": {"aliases": names}}
    assert labels_of(gateway) == {
        "traefik.enable": "true",
        "traefik.http.routers.indexer.rule": "Host(`indexer.lab.test`)",
        "traefik.http.services.indexer.loadbalancer.server.port": "9696",
        "traefik.http.routers.indexer.service": "indexer",
    }
    kinds = [(a.kind, a.services) for a in draft.actions]
    assert kinds == [(ActionKind.REMOVE, ("indexer",)), (ActionKind.UP, ("gluetun", "indexer"))]


def test_back_again_means_what_it_meant_whatever_the_order() -> None:
    start = services(lab())
    for first, second in (("indexer", "other"), ("other", "indexer")):
        for back in ((first, second), (second, first)):
            now = lab()
            for name in (first, second):
                now = after(now, ask(now, name, True))
            assert {services(now)[n]["network_mode"] for n in (first, second)} == {"service:gluetun"}
            for name in back:
                now = after(now, ask(now, name, False))
            found = services(now)
            assert found["gluetun"] == start["gluetun"]
            for name in ("indexer", "other"):
                expected = dict(start[name])
                if "depends_on" in expected:
                    expected["depends_on"] = {"cache": {"condition": "service_started"}}
                assert {**found[name], "labels": labels_of(found[name])} == {
                    **expected,
                    "labels": labels_of(start[name]),
                }


def test_comments_and_the_rest_of_the_file_stay() -> None:
    there = after(lab(), ask(lab(), "indexer", True)).stacks[0].compose_text
    assert "# Downloads, by hand." in there
    assert "image: example/indexer:1   # finds things" in there
    assert there.endswith("networks:\n  traefik-network: {external: true}\n  media: {}\n")


def test_a_stack_without_a_gateway_gets_one_that_goes_again_to_the_byte() -> None:
    start = lab(ALONE)
    draft = ask(start, "tool", True, provider="Mullvad")
    there = after(start, draft)
    gateway = services(there)["gluetun"]
    assert gateway["image"].startswith("qmcgaw/gluetun:v3.")
    assert gateway["cap_add"] == ["NET_ADMIN"]
    assert gateway["labels"]["homelab.companion-of"] == "tool"
    assert gateway["networks"] == {"default": {"aliases": ["tool"]}}
    assert [a.kind for a in draft.actions] == [ActionKind.PULL, ActionKind.UP]
    assert any("Mullvad forwards no port" in n for n in draft.notes)
    assert after(there, ask(there, "tool", False)).stacks[0].compose_text == ALONE


def test_a_catalog_service_made_behind_the_vpn_comes_out_of_it() -> None:
    from homelab_mcp.core.operations.add_service import add_service
    from homelab_mcp.core.operations.request import AddServiceRequest

    request = AddServiceRequest(service="qbittorrent", stack="dl")
    env = Snapshot((), None)
    draft = add_service(
        env,
        SETTINGS,
        AddServiceRequest.model_validate(
            {**request.model_dump(), "options": {"variables": {"VPN_SERVICE_PROVIDER": "mullvad"}}}
        ),
        find=CATALOG.get,
        secrets=lambda kind, length: "s" * length,
        argon2=lambda value: value,
        root="/lab",
        read=lambda path: None,
    )
    made = after(env, draft)
    out = after(made, ask(made, "qbittorrent", False))
    data = read(out.stacks[0].compose_text)
    assert list(data["services"]) == ["qbittorrent"]
    alone = data["services"]["qbittorrent"]
    assert alone["networks"] == ["traefik-network", "homelab-network", "media-network"]
    assert labels_of(alone)["traefik.http.routers.qbittorrent.rule"] == "Host(`qbittorrent.${DOMAIN}`)"
    assert "network_mode" not in alone
    assert "depends_on" not in alone
    assert data["networks"] == {name: {"external": True} for name in alone["networks"]}
    assert data["x-dockge"] == {"urls": ["https://qbittorrent.${DOMAIN}"]}
    assert any("the home's own address" in r.reason for r in ask(made, "qbittorrent", False).risks)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("example/other:1", "rethinkdb:2.4"), "vpn_not_possible", "database"),
        (("example/other:1", "traefik:v3.7"), "vpn_not_possible", "own address"),
        (("example/other:1", "goauthentik/server:2025.8"), "vpn_not_possible", "log-in"),
        (("example/other:1", "pihole/pihole:2025.08"), "vpn_not_possible", ""),
        (("hostname: other-host", "network_mode: host"), "vpn_not_possible", "host's own network"),
        (
            ("image: example/cache:1", "image: a:1\n    network_mode: service:other"),
            "vpn_not_possible",
            "cache lives in",
        ),
        (('      traefik.enable: "true"', '      sablier.enable: "true"'), "vpn_not_possible", "lazy loading"),
        (("hostname: other-host", "deploy: {replicas: 2}"), "vpn_not_possible", "replicas"),
        (('server.port: "8080"', 'server.port: "8000"'), "vpn_port_clash", "8000"),
        (("routers.other.rule", "routers.indexer.rule"), "route_clash", "indexer"),
    ],
)
def test_who_cannot_go_behind_it_is_told_why(change: tuple[str, str], code: str, words: str) -> None:
    start = lab(BEHIND.replace(*change))
    if code == "route_clash":
        start = after(start, ask(start, "indexer", True))
    error = refused(start, "other", True)
    assert (error.code, words in error.message) == (code, True), error.message


def test_two_who_listen_on_one_port_do_not_fit_behind_one_gateway() -> None:
    start = lab(BEHIND.replace('server.port: "8080"', 'server.port: "9696"'))
    there = after(start, ask(start, "indexer", True))
    error = refused(there, "other", True)
    assert error.code == "vpn_port_clash"
    assert "port 9696" in error.message


def test_a_gateway_of_another_stack_is_named_with_the_way_there() -> None:
    start = lab(ALONE, ENV, StackFiles("vpn", "vpn/compose.yaml", "services:\n  g: {image: qmcgaw/gluetun:v3.41.3}\n"))
    error = refused(start, "tool", True, provider="mullvad")
    assert error.code == "gateway_elsewhere"
    assert "vpn/g" in error.message
    assert "move_service" in error.hint


def test_missing_keys_are_for_a_person_and_nothing_is_planned_without_them() -> None:
    error = refused(lab(ALONE, ""), "tool", True, provider="airvpn")
    assert error.code == "vpn_needs_secrets"
    assert error.details["variables"] == ["WIREGUARD_PRIVATE_KEY", "WIREGUARD_PRESHARED_KEY", "WIREGUARD_ADDRESSES"]
    assert error.details["asks"] == {"stack": "dl", "names": error.details["variables"]}
    assert "A person runs `homelab-mcp env set dl WIREGUARD_PRIVATE_KEY`" in error.hint
    assert refused(lab(ALONE, ""), "tool", True).code == "vpn_provider_missing"
    assert refused(lab(ALONE, ""), "tool", True, provider="nonsense").code == "vpn_provider_unknown"
    assert refused(lab(ALONE), "tool", True, provider="mullvad", type="openvpn").code == "vpn_type_not_offered"


def test_another_provider_is_chosen_in_env_and_its_variables_passed_on() -> None:
    draft = ask(lab(), None, None, provider="windscribe")
    env = next(e for e in draft.edits if e.path == "dl/.env")
    assert env.secret
    assert env.after is not None
    assert "VPN_SERVICE_PROVIDER=windscribe" in env.after
    assert "VPN_TYPE=wireguard" in env.after
    assert "WIREGUARD_PRESHARED_KEY=${WIREGUARD_PRESHARED_KEY:-}" in (draft.edits[0].after or "")
    assert draft.actions == (), "without the pre-shared key the tunnel would not come up"
    assert any("env set dl WIREGUARD_PRESHARED_KEY" in n for n in draft.notes)
    whole = ask(lab(env=ENV + "WIREGUARD_PRESHARED_KEY=p5k\n"), None, None, provider="windscribe")
    assert [(a.kind, a.services) for a in whole.actions] == [(ActionKind.UP, ("gluetun",))]


def test_a_provider_written_by_hand_is_left_to_the_hand() -> None:
    start = lab(BEHIND.replace("=${VPN_SERVICE_PROVIDER}", "=nordvpn"))
    assert refused(start, None, None, provider="mullvad").code == "provider_by_hand"
    assert ask(start, "other", True).edits, "but others may go behind it"


def test_asking_for_what_is_so_already_is_no_plan() -> None:
    assert refused(lab(), "indexer", False).code == "nothing_to_do"
    there = after(lab(), ask(lab(), "indexer", True))
    assert refused(there, "indexer", True).code == "nothing_to_do"


def test_providers_say_what_they_need() -> None:
    assert len(PROVIDERS) >= 13
    for provider in PROVIDERS.values():
        assert provider.types, provider.id
        assert set().union(*(provider.needs(t) for t in provider.types)) <= set(KNOWN_VARIABLES)
    assert provider_of("PIA") is PROVIDERS["private internet access"]
    assert PROVIDERS["private internet access"].types == ("openvpn",)
    assert [p for p, found in PROVIDERS.items() if found.forwarding == "VPN_PORT_FORWARDING"] == [
        "protonvpn",
        "private internet access",
        "privatevpn",
        "perfect privacy",
    ]


def test_who_is_removed_takes_its_route_and_ports_off_a_gateway_that_stays() -> None:
    both = lab()
    for name in ("other", "indexer"):
        both = after(both, ask(both, name, True))
    off, gateway = before_removal(both, "dl", "indexer")
    draft = remove_service(off, SETTINGS, RemoveServiceRequest(stack="dl", service="indexer"), find=CATALOG.get)
    draft = removed_from(draft, both, "dl", gateway)
    left = services(after(both, draft))
    assert list(left) == ["gluetun", "other", "cache"]
    assert "ports" not in left["gluetun"]
    assert [k for k in labels_of(left["gluetun"]) if "indexer" in k] == []
    assert labels_of(left["gluetun"])["traefik.http.routers.other.service"] == "other"
    assert draft.edits[0].before == both.stacks[0].compose_text
    assert draft.actions[-1].services == ("gluetun",)


def test_a_gateway_made_for_one_belongs_to_another_who_stays() -> None:
    start = lab(ALONE + "  more:\n    image: example/more:1\n")
    now = after(start, ask(start, "tool", True))
    now = after(now, ask(now, "more", True))
    now = after(now, ask(now, "tool", False))
    assert labels_of(services(now)["gluetun"])["homelab.companion-of"] == "more"
    assert list(services(after(now, ask(now, "more", False)))) == ["tool", "more"]


CHAIN = """services:
  gw: {image: "qmcgaw/gluetun:v3.41.3"}
  a: {image: "a:1", network_mode: "service:gw"}
  b: {image: "b:1", network_mode: "service:a"}
  c: {image: "c:1"}
"""


@pytest.mark.parametrize("kind", [ActionKind.UP, ActionKind.RESTART])
def test_who_shares_a_network_comes_along_in_every_plan(kind: ActionKind) -> None:
    draft = Draft("any", "Any", (), (EngineAction(kind, "why", "dl", ("gw",)),), Verification("dl", ("gw",)))
    grown = with_sharers(draft, lab(CHAIN).stacks)
    assert grown.actions[0].services == ("gw", "a", "b")
    assert grown.verification.services == ("gw", "a", "b")
    assert "a, b of stack dl comes along" in grown.notes[-1]


def test_nobody_else_comes_along() -> None:
    for action in (
        EngineAction(ActionKind.UP, "why", "dl", ("c", "b")),
        EngineAction(ActionKind.PULL, "why", "dl", ("gw",)),
        EngineAction(ActionKind.UP, "why", "dl", ()),
        EngineAction(ActionKind.UP, "why", "elsewhere", ("gw",)),
    ):
        draft = Draft("any", "Any", (), (action,))
        assert with_sharers(draft, lab(CHAIN).stacks) == draft


MOVED = ('ports: ["8080:80", ', "ports: [")
PORTS = """services:
  old: {image: "a:1", ports: ["8080:80", "53:53/udp"]}
  new: {image: "b:1"}
"""


@pytest.mark.parametrize(
    ("text", "up", "removed"),
    [
        (PORTS.replace(*MOVED).replace('"b:1"', '"b:1", ports: ["8080:81"]'), ("old", "new"), True),
        (PORTS.replace(*MOVED).replace('"b:1"', '"b:1", ports: ["8081:81"]'), ("old", "new"), False),
        (PORTS.replace(*MOVED).replace('"b:1"', '"b:1", ports: ["8080:81"]'), ("new",), False),
        (PORTS.replace("b:1", "b:2"), ("old", "new"), False),
    ],
)
def test_who_loses_a_published_port_lets_go_of_it_first(text: str, up: tuple[str, ...], removed: bool) -> None:
    draft = Draft("any", "Any", (), (EngineAction(ActionKind.UP, "why", "dl", up),))
    freed = with_ports_freed(draft, lab(PORTS), lab(text))
    assert [(a.kind, a.services) for a in freed.actions] == [
        *([(ActionKind.REMOVE, ("old",))] if removed else []),
        (ActionKind.UP, up),
    ]


def test_taking_a_move_back_frees_the_ports_again() -> None:
    from homelab_mcp.core.operations.containers_back import containers_back

    there = after(lab(), ask(lab(), "indexer", True))
    edits = [FileEdit("dl/compose.yaml", there.stacks[0].compose_text, BEHIND)]
    back, _ = containers_back(edits)
    freed = with_ports_freed(Draft("rollback", "Back", tuple(edits), back), there, lab())
    assert [a.services for a in freed.actions if a.kind is ActionKind.REMOVE] == [("gluetun",)]
