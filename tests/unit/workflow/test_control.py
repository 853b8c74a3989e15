"""Starting, stopping and pausing through the applier; Docker is make-believe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.core.operations.control import ControlRequest, control
from homelab_mcp.model.plan import PlanState, PlanStatus, Verification
from tests.unit.workflow.bench_lab import BenchLab


@pytest.fixture
def lab(tmp_path: Path) -> BenchLab:
    return BenchLab(tmp_path / "lab")


def state(lab: BenchLab) -> str:
    one = lab.compose.find("media", "web")
    return one.state if one else "absent"


def act(lab: BenchLab, action: Any, *, bad: bool = False) -> PlanStatus:
    """Apply; with ``bad`` as if what was asked had not come about."""
    draft = control(lab.planner.snapshot(containers=True), ControlRequest(action=action, stack="media"))
    if bad:
        draft = replace(draft, verification=Verification("media", ("nothing",)))
    return lab.apply(draft)


def test_each_is_done_verified_and_journalled(lab: BenchLab) -> None:
    for action, after in (
        ("pause", "paused"),
        ("unpause", "running"),
        ("stop", "exited"),
        ("start", "running"),
        ("recreate", "running"),
        ("restart", "running"),
    ):
        status = act(lab, action)
        assert (status.state, state(lab)) == (PlanState.DONE, after), (action, status)
    assert lab.docker.calls == [f"{v} media web" for v in ("pause", "unpause", "stop", "start", "recreate", "restart")]
    assert lab.events()[-1] == "apply_done"


def test_what_was_stopped_or_paused_is_told(lab: BenchLab) -> None:
    assert [e.what for e in act(lab, "pause").evidence] == ["web is paused"]
    assert [e.what for e in act(lab, "stop").evidence] == ["web is stopped"]


@pytest.mark.parametrize(("first", "action", "then"), [
    ("", "stop", "running"),
    ("", "pause", "running"),
    ("stop", "start", "exited"),
    ("pause", "unpause", "paused"),
])  # fmt: skip
def test_one_that_does_not_hold_leaves_things_as_they_were(lab: BenchLab, first: str, action: str, then: str) -> None:
    if first:
        assert act(lab, first).state is PlanState.DONE
    status = act(lab, action, bad=True)
    assert (status.state, state(lab)) == (PlanState.ROLLED_BACK, then), status
