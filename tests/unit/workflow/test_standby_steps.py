"""What is done to a standby, what is told of it, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Plan, Requester, Risk
from homelab_mcp.model.standby import StandbySeen, StandbySynced
from homelab_mcp.workflow.plan_view import action_line
from homelab_mcp.workflow.standby_steps import carry_out, put_back

SYNC = EngineAction(ActionKind.STANDBY_SYNC, "why", services=("core",), name="nas")


class Noted:
    """A standby that notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def seen(self, stacks: Sequence[str], *, compared: bool = True) -> tuple[StandbySeen, ...]:
        return ()

    def sync(self, host: str, stacks: Sequence[str]) -> StandbySynced:
        self.asked.append(f"sync {host} {stacks[0]}")
        return StandbySynced(3, 99, ("core/old.yml",), tuple(f"core/{n}.log" for n in range(10)), 2)

    def start(self, host: str, stacks: Sequence[str]) -> tuple[str, ...]:
        self.asked.append(f"start {host} {stacks[0]}")
        return ("login", "traefik")

    def stop(self, host: str, stacks: Sequence[str]) -> None:
        self.asked.append(f"stop {host} {stacks[0]}")


def plan(action: EngineAction) -> Plan:
    draft = Draft("x", "x", (), (action,), target="nas")
    return Plan("0" * 32, draft, Risk.HIGH, (), (), {}, Requester("cli"), 0.0, 1.0)


def test_a_sync_tells_how_much_is_there_and_what_is_not() -> None:
    told = [e.what for e in carry_out(Noted(), SYNC)]
    assert told[:3] == [
        "3 files (99 bytes) are on nas as they are here, read back there",
        "2 containers stand ready on nas",
        "emptied there: core/old.yml",
    ]
    assert told[3].startswith("not brought along: core/0.log")
    assert told[3].endswith("core/7.log and 2 more")
    with pytest.raises(InvalidInput):
        carry_out(None, SYNC)


@pytest.mark.parametrize(
    ("kind", "done", "back", "line"),
    [
        (
            ActionKind.STANDBY_SYNC,
            ["sync nas core"],
            [],
            "bring to host nas, not started there: a standby of core: why",
        ),
        (ActionKind.STANDBY_START, ["start nas core"], ["stop nas core"], "on host nas start the standby of core: why"),
        (ActionKind.STANDBY_STOP, ["stop nas core"], ["start nas core"], "on host nas stop the standby of core: why"),
    ],
)
def test_each_has_its_way_back(kind: ActionKind, done: list[str], back: list[str], line: str) -> None:
    action, standby = replace(SYNC, kind=kind), Noted()
    assert action_line(action) == line
    assert all(e.ok for e in carry_out(standby, action))
    assert standby.asked == done
    standby.asked.clear()
    assert len(put_back(standby, plan(action))) == 1
    assert standby.asked == back
    assert put_back(None, plan(action)) == []
