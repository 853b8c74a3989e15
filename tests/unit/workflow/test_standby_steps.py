"""What is done to a standby, what is told of it, and the way back."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Plan, Requester, Risk
from homelab_mcp.model.standby import StandbySeen, StandbySynced
from homelab_mcp.workflow.plan_view import action_line
from homelab_mcp.workflow.standby_steps import carry_out, put_back, remember
from homelab_mcp.workflow.undo_record import Before

SYNC = EngineAction(ActionKind.STANDBY_SYNC, "why", services=("core",), name="nas")


class Noted:
    """A standby that notes what is asked of it."""

    def __init__(self, *runs: str) -> None:
        self.asked: list[str] = []
        self.runs = runs

    def seen(self, stacks: Sequence[str], *, compared: bool = True) -> tuple[StandbySeen, ...]:
        return ()

    def sync(self, host: str, stacks: Sequence[str]) -> StandbySynced:
        self.asked.append(f"sync {host} {stacks[0]}")
        return StandbySynced(3, 99, ("core/old.yml",), tuple(f"core/{n}.log" for n in range(10)), 2)

    def active(self, host: str, stacks: Sequence[str]) -> tuple[str, ...]:
        return self.runs

    def start(self, host: str, stacks: Sequence[str], *, only: Collection[str] | None = None) -> tuple[str, ...]:
        self.asked.append(" ".join(("start", host, stacks[0], *(only or ()))))
        return ("login", "traefik")

    def stop(self, host: str, stacks: Sequence[str], *, keep: Collection[str] = ()) -> None:
        self.asked.append(" ".join(("stop", host, stacks[0], *keep)))


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
        (
            ActionKind.STANDBY_START,
            ["start nas core"],
            ["stop nas core core/traefik"],
            "on host nas start the standby of core: why",
        ),
        (
            ActionKind.STANDBY_STOP,
            ["stop nas core"],
            ["start nas core core/traefik"],
            "on host nas stop the standby of core: why",
        ),
    ],
)
def test_each_has_its_way_back(kind: ActionKind, done: list[str], back: list[str], line: str) -> None:
    action, standby = replace(SYNC, kind=kind), Noted("core/traefik")
    before = remember(standby, plan(action))
    assert action_line(action) == line
    assert all(e.ok for e in carry_out(standby, action))
    assert standby.asked == done
    standby.asked.clear()
    # As the journal keeps it, for a `recover` in another process.
    kept = Before.of(json.loads(json.dumps(Before({}, [], [], standbys=before).as_dict()))).standbys
    assert [e.ok for e in put_back(standby, plan(action), kept)] == [True]
    assert standby.asked == back
    assert put_back(None, plan(action), {}) == []


def test_the_way_back_says_what_runs_on_and_touches_nothing_that_nobody_remembers() -> None:
    start = plan(replace(SYNC, kind=ActionKind.STANDBY_START))
    (kept,) = put_back(Noted(), start, {"nas": ["core/traefik"]})
    assert kept.what == "what was started on nas is stopped; what ran on nas before runs on: core/traefik"
    (none,) = put_back(Noted(), start, {"nas": []})
    assert none.what == "the standby on nas is stopped"
    standby = Noted()
    (unknown,) = put_back(standby, start, {})
    assert (unknown.ok, standby.asked) == (False, [])
    # A sync that was refused as the standby runs.
    (refused,) = put_back(Noted(), plan(SYNC), {"nas": ["core/traefik"]})
    assert refused.what == "nothing was brought to nas; what ran on nas before runs on: core/traefik"
    (cut,) = put_back(Noted(), plan(SYNC), {"nas": []})
    assert cut.what == "nothing was started on nas; what was sent by then is in its folder of core"
    stop = plan(replace(SYNC, kind=ActionKind.STANDBY_STOP))
    put_back(standby := Noted(), stop, {"nas": []})
    assert standby.asked == []


def test_where_no_standby_was_found_nothing_was_started() -> None:
    class Gone(Noted):
        def stop(self, host: str, stacks: Sequence[str], *, keep: Collection[str] = ()) -> None:
            raise NotFound("None.", code="standby_missing")

    (seen,) = put_back(Gone(), plan(replace(SYNC, kind=ActionKind.STANDBY_START)), {"nas": []})
    assert (seen.ok, seen.what) == (True, "nothing was started on nas: there is no standby")
