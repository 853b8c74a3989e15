"""Starting and stopping: what is planned for what is there."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from homelab_mcp.core.operations.control import ControlRequest, control
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.plan_codec import plan_from_json, plan_to_json, seal
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.observed import ContainerState, Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, Plan, Requester, Risk

TEXT = """\
services:
  web:
    image: app:1
    depends_on: [db]
  db:
    image: db:1
  proxy:
    image: traefik:v3
"""


def snapshot(**states: str) -> Snapshot:
    there = tuple(ContainerState(f"id-{n}", n, "x", s, stack="apps", service=n) for n, s in states.items())
    return Snapshot((StackFiles("apps", "apps/compose.yaml", TEXT),), None, there)


def drafted(action: Any, *services: str, stale: tuple[str, ...] = (), **states: str) -> Draft:
    return control(snapshot(**states), ControlRequest(action=action, stack="apps", services=services), stale)


def did(draft: Draft) -> list[tuple[ActionKind, tuple[str, ...]]]:
    return [(a.kind, a.services) for a in draft.actions]


def test_start_does_what_each_state_needs() -> None:
    found = drafted("start", web="exited", db="paused")
    assert did(found) == [(ActionKind.UNPAUSE, ("db",)), (ActionKind.START, ("web",)), (ActionKind.UP, ("proxy",))]


def test_stop_goes_backwards_and_says_who_needs_it() -> None:
    assert did(drafted("stop", web="running", db="running")) == [(ActionKind.STOP, ("db", "web"))]
    found = drafted("stop", "db", web="running", db="running")
    assert found.verification.held == (("db", "stopped"),)
    assert any("web needs db" in r.reason for r in found.risks)


def test_stopping_what_serves_every_route_is_more_than_low() -> None:
    assert max(r.risk for r in drafted("stop", "proxy", proxy="running").risks) is Risk.MEDIUM
    assert drafted("stop", "web", web="running").risks == ()


def test_restart_says_that_it_loads_no_changed_file() -> None:
    found = drafted("restart", "web", stale=("web",), web="running")
    assert any("use recreate" in note for note in found.notes)
    assert not any("use recreate" in note for note in drafted("restart", "web", web="running").notes)


def test_nothing_to_do_is_said_with_the_states() -> None:
    with pytest.raises(InvalidInput, match="web: running"):
        drafted("start", "web", web="running")
    with pytest.raises(NotFound):
        drafted("start", "nothing", web="running")


def test_a_plan_to_stop_survives_its_file() -> None:
    draft = drafted("stop", "web", web="running")
    plan = seal(Plan("p", draft, Risk.LOW, (), (), {}, Requester("cli"), 1.0, 2.0))
    assert plan_from_json(plan_to_json(plan)) == plan


def test_names_that_compose_takes_are_taken() -> None:
    stack = StackFiles("media", "media/compose.yaml", "services: {Web.front: {image: web:1}}\n", "")
    made = control(Snapshot((stack,), None, ()), ControlRequest(action="start", stack="media", services=("Web.front",)))
    assert [a.services for a in made.actions] == [("Web.front",)]
    assert RemoveServiceRequest(stack="media", service="Web.front").service == "Web.front"
    for bad in ("-web", "we b", "../web", ""):
        with pytest.raises(ValidationError):
            RemoveServiceRequest(stack="media", service=bad)
