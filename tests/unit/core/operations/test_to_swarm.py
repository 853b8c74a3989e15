"""Handing a stack to Swarm and back: its text, its data plan, its networks, and Traefik's way to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.core.host_routes import host_routes
from homelab_mcp.core.lazy_fitness import check_may_sleep
from homelab_mcp.core.operations.change_request import MoveServiceRequest
from homelab_mcp.core.operations.control import ControlRequest, control
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.move_service import move_service
from homelab_mcp.core.operations.swarm_nodes import activate_node, drain_node
from homelab_mcp.core.operations.to_swarm import SwarmRequest, to_swarm
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, Risk
from homelab_mcp.model.swarm import Node

SETTINGS = LabSettings(domain="lab.test", route_network="proxy", sso_middleware="authelia@docker")
CORE = """services:
  traefik:
    image: traefik:v3.7.13
    networks: [proxy]
networks: {proxy: {external: true}}
"""
PAGES = """# mine
services:
  page:
    image: nginx:1.29  # pinned
    container_name: page
    networks: [proxy, default]
    labels:
      traefik.enable: "true"
      traefik.http.routers.page.rule: Host(`page.lab.test`)
      traefik.http.routers.page.middlewares: authelia@docker
      traefik.http.services.page.loadbalancer.server.port: "80"
  db:
    image: postgres:17
    volumes: ["kept:/var/lib/postgresql/data", "/etc/localtime:/etc/localtime:ro"]
volumes: {kept: {}}
networks: {proxy: {external: true}}
"""
NODES = (
    Node("n1", "here", "manager", "active", "ready", here=True, tasks=(("pages_db", 1), ("pages_page", 1))),
    Node("n2", "other", "worker", "active", "ready", tasks=(("pages_page", 1), ("alien", 1))),
)


def lab(pages: str = PAGES, core: str = CORE) -> Snapshot:
    stacks = StackFiles("core", "core/compose.yaml", core), StackFiles("pages", "pages/compose.yaml", pages)
    return Snapshot(stacks, None)


def hand(snapshot: Snapshot, **more: Any) -> Draft:
    return to_swarm(snapshot, SETTINGS, SwarmRequest(stack="pages", **more), node="here")


def after(draft: Draft, path: str = "pages/compose.yaml") -> str:
    return next(e.after or "" for e in draft.edits if e.path == path)


def test_the_file_says_what_runs_it_and_keeps_what_a_person_wrote() -> None:
    draft = hand(lab(), replicas={"page": 2})
    text = after(draft)
    assert text.startswith("# mine\n")
    assert "image: nginx:1.29  # pinned" in text
    data = load(text)
    assert data["x-homelab"] == {"engine": "swarm"}
    assert data["services"]["page"]["deploy"] == {"replicas": 2}
    assert "container_name" not in data["services"]["page"]
    assert any("no longer called page" in note for note in draft.notes)


def test_data_on_this_machine_binds_its_service_and_the_plan_says_so() -> None:
    draft = hand(lab())
    db = load(after(draft))["services"]["db"]
    assert db["deploy"]["placement"]["constraints"] == ["node.hostname == here"]
    (note,) = [n for n in draft.notes if n.startswith("db has data")]
    assert "(kept)" in note and "does not move" in note


def test_traefik_reaches_it_by_an_overlay_network_and_a_file() -> None:
    draft = hand(lab())
    assert load(after(draft))["services"]["page"]["networks"] == ["default", "proxy-swarm"]
    assert load(after(draft))["networks"] == {"proxy-swarm": {"external": True}}
    assert "proxy-swarm" in load(after(draft, "core/compose.yaml"))["services"]["traefik"]["networks"]
    assert [(a.kind, a.name or a.stack) for a in draft.actions] == [
        (ActionKind.CREATE_NETWORK, "swarm/proxy-swarm"), (ActionKind.REMOVE, "pages"), (ActionKind.UP, "pages"),
        (ActionKind.UP, "core"),
    ]  # fmt: skip
    assert [(r.host, r.sso) for r in draft.verification.routes] == [("page.lab.test", True)]
    assert max(r.risk for r in draft.risks) is Risk.HIGH
    (route,) = host_routes(view(lab(after(draft))), {})
    assert (route.key, route.url) == ("swarm-pages-page", "http://tasks.pages_page:80")
    assert route.router["middlewares"] == ["authelia@docker"]


def test_who_shared_a_private_network_with_it_is_told_of() -> None:
    pages = PAGES.replace("[proxy, default]", "[proxy, inner]").replace(
        "networks: {", "networks: {inner: {external: true}, "
    )
    other = StackFiles("app", "app/compose.yaml", "services: {a: {image: x}}\nnetworks: {inner: {external: true}}\n")
    snapshot = lab(pages)
    draft = hand(replace(snapshot, stacks=(*snapshot.stacks, other)))
    assert "It leaves inner, where stack app is: they reach each other there no more." in draft.notes
    assert load(after(draft))["services"]["page"]["networks"] == ["inner-swarm", "proxy-swarm"]


def test_a_second_stack_leaves_traefik_as_it_is() -> None:
    joined = CORE.replace("networks: [proxy]", "networks: [proxy, proxy-swarm]")
    assert [e.path for e in hand(lab(core=joined)).edits] == ["pages/compose.yaml"]


def test_the_way_back_is_the_way_there_taken_back() -> None:
    there = after(hand(lab(), replicas={"page": 2}))
    draft = to_swarm(lab(there), SETTINGS, SwarmRequest(stack="pages", back=True), node="here")
    data, was = load(after(draft)), load(PAGES)
    was["services"]["page"].pop("container_name")
    was["services"]["page"]["networks"] = ["default", "proxy"]
    assert data == was
    assert [(a.kind, a.stack) for a in draft.actions] == [(ActionKind.REMOVE, "pages"), (ActionKind.UP, "pages")]


@pytest.mark.parametrize(
    ("pages", "more", "code"),
    [
        (PAGES, {"replicas": {"db": 2}}, "swarm_shared_data"),
        (PAGES, {"back": True}, "nothing_to_do"),
        ("x-homelab: {engine: swarm}\n" + PAGES, {}, "nothing_to_do"),
        ("x-homelab: {host: nas}\n" + PAGES, {}, "swarm_host"),
        (CORE, {}, "swarm_core"),
        ("name: other\n" + PAGES, {}, "swarm_name"),
        ("x-homelab: {engine: swarm}\n" + PAGES, {"back": True}, "swarm_data_elsewhere"),
    ],
)
def test_what_would_lose_data_or_the_way_in_is_refused(pages: str, more: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        hand(lab(pages), **more)
    assert refused.value.code == code


def test_what_swarm_runs_is_neither_paused_nor_put_to_sleep_nor_given_services_made_for_compose() -> None:
    swarm = replace(lab(after(hand(lab()))), containers=())
    with pytest.raises(InvalidInput, match="pauses nothing"):
        control(swarm, ControlRequest(action="pause", stack="pages"))
    move = MoveServiceRequest(stack="pages", service="page", to="core")
    with pytest.raises(InvalidInput) as moved:
        move_service(swarm, SETTINGS, move, exists=lambda path: False, read_text=lambda path: None)
    assert moved.value.code == "swarm_stack"
    page = next(k for k in view(swarm).services if k.name == "page")
    with pytest.raises(InvalidInput, match="Sablier wakes containers of Compose alone"):
        check_may_sleep(page, view(swarm), None, (), None)


def test_a_drain_says_what_stops_and_looks_at_what_moves() -> None:
    swarm = lab(after(hand(lab(), replicas={"page": 2})))
    draft = drain_node(swarm, NODES, "here")
    assert any("Stops pages/db, which has its data on here" in r.reason for r in draft.risks)
    assert [(v.stack, v.services) for v in draft.also_verify] == [("pages", ("page",))]
    other = drain_node(swarm, NODES, "other")
    assert not other.risks
    assert any("Not of this lab, and moved as well: alien." in n for n in other.notes)
    assert [(v.stack, v.services) for v in other.also_verify] == [("pages", ("page", "db"))]


def test_the_last_node_is_not_drained_nor_an_unknown_one() -> None:
    with pytest.raises(InvalidInput) as last:
        drain_node(lab(), NODES[:1], "here")
    assert last.value.code == "swarm_last_node"
    with pytest.raises(NotFound):
        drain_node(lab(), NODES, "nobody")
    with pytest.raises(InvalidInput):
        activate_node(lab(), NODES, "other")
