"""Plans survive storage unchanged, and any change to any field shows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from homelab_mcp.core.plan_codec import digest, plan_from_json, plan_to_json, seal
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Plan,
    Requester,
    Risk,
    RiskReason,
    RouteCheck,
    Verification,
)
from homelab_mcp.model.service_call import ServiceCall

PLAN = seal(
    Plan(
        id="0" * 32,
        draft=Draft(
            operation="add_service",
            summary="Add ü",
            edits=(FileEdit("a/compose.yaml", None, "x: 1\n"), FileEdit("a/.env", "A=1", None, 0o600, True)),
            actions=(EngineAction(ActionKind.UP, "why", "a", ("b", "c"), "n"),),
            verification=Verification("a", ("b",), ("c",), (RouteCheck("b", "b.lab.test", "/x", True),)),
            risks=(RiskReason(Risk.HIGH, "reason"),),
            notes=("note",),
            undo="undo",
            target="b",
            secrets=("hunter2hunter2",),
            call=ServiceCall(
                "a",
                "b",
                "op",
                "PUT",
                "/x?y=z",
                "{}",
                "application/json",
                30,
                "{}",
                "{}",
                "{}",
                "no",
                (("on", "false"),),
                (("on", "true"),),
            ),
        ),
        risk=Risk.HIGH,
        reasons=("reason",),
        findings=(Finding("rule", Severity.WARNING, "message", "a", 1, 2, "b"),),
        fingerprint={"file:a/compose.yaml": "absent"},
        asked_by=Requester("mcp", "client", "1"),
        created=1000.0,
        expires=1900.0,
    )
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for k, v in value.items() for leaf in leaves(v, (*path, k))]
    if isinstance(value, list):
        return [leaf for n, v in enumerate(value) for leaf in leaves(v, (*path, n))]
    return [path]


def flipped(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case _:
            return "not null"


def test_a_plan_comes_back_equal() -> None:
    again = plan_from_json(plan_to_json(PLAN))
    assert again == PLAN
    assert digest(again) == PLAN.digest


def test_every_single_field_that_is_flipped_is_refused() -> None:
    data = json.loads(plan_to_json(PLAN))
    paths = leaves(data["plan"])
    assert len(paths) > 45
    for path in paths:
        changed = json.loads(plan_to_json(PLAN))
        place = changed["plan"]
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = flipped(place[path[-1]])
        with pytest.raises(InvalidInput) as caught:
            plan_from_json(json.dumps(changed))
        assert caught.value.code == "plan_corrupt", path


def test_what_is_added_left_out_or_unsealed_is_refused() -> None:
    data = json.loads(plan_to_json(PLAN))
    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda d: d["plan"].update(extra=1),
        lambda d: d["plan"]["draft"].pop("undo"),
        lambda d: d["plan"]["draft"]["edits"].pop(),
        lambda d: d["plan"]["draft"]["edits"].reverse(),
        lambda d: d.update(digest=""),
        lambda d: d.update(version=2),
    ]
    for change in changes:
        changed = json.loads(json.dumps(data))
        change(changed)
        with pytest.raises(InvalidInput):
            plan_from_json(json.dumps(changed))
    for text in ("", "null", "[]", "{}", "[" * 100_000):
        with pytest.raises(InvalidInput):
            plan_from_json(text)


def test_the_error_about_a_corrupt_plan_quotes_none_of_it() -> None:
    text = plan_to_json(dataclasses.replace(PLAN, id="1" * 32)).replace('"risk": 3', '"risk": "hunter2hunter2"')
    with pytest.raises(InvalidInput) as caught:
        plan_from_json(text)
    assert "hunter2" not in repr(caught.value) + caught.value.as_text()
