"""Data on another host whose connection breaks at any call: what was moved is put back, or stays open until it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.data_folders import LabData
from homelab_mcp.model.errors import EngineUnavailable
from homelab_mcp.model.plan import PlanState, PlanStatus
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.approvals import UNKNOWN
from homelab_mcp.workflow.recovery import Recovery
from homelab_mcp.workflow.verifier import Verifier
from tests.unit.workflow.bench_lab import BenchLab
from tests.unit.workflow.test_data_steps import everything, moving_draft


class Far:
    """This machine's data, as if on another host: from call number ``at`` on its answers are lost.

    Args:
        done: whether what was asked in that call was still done.
        calls: how many calls are lost in all; those after the first are not done.
    """

    def __init__(self, data: LabData, at: int = 0, *, done: bool = False, calls: int = 1) -> None:
        self.data, self.at, self.done, self.calls, self.asked = data, at, done, calls, 0

    def __getattr__(self, name: str) -> Any:
        def call(*words: Any) -> Any:
            self.asked += 1
            lost = self.at <= self.asked < self.at + self.calls if self.at else False
            if not lost or (self.done and self.asked == self.at):
                found = getattr(self.data, name)(*words)
            if lost:
                raise EngineUnavailable("Host nas does not answer.", code="host_lost", hint="Look at it.")
            return found

        return call


def machines(lab: BenchLab, data: Far) -> tuple[Applier, Recovery]:
    applier = Applier(
        files=lab.files,
        history=lab.history,
        journal=lab.journal,
        plans=lab.plans,
        approver=lab.approver,
        lock=lab.lock,
        clock=lab.clock,
        engine=lab.docker,
        compose=lab.compose,
        verifier=Verifier(engine=lab.docker, probe=lab.probe, clock=lab.clock),
        data=data,
    )
    return applier, Recovery(applier)


def calls_of(root: Path) -> int:
    lab = BenchLab(root)
    far = Far(lab.data)
    assert machines(lab, far)[0].run(lab.plan(moving_draft(lab)).id).state is PlanState.DONE
    return far.asked


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("calls", [1, 10**6])
def test_a_lost_answer_leaves_no_data_on_the_wrong_side(tmp_path: Path, done: bool, calls: int) -> None:
    ended: Counter[str] = Counter()
    for at in range(1, calls_of(tmp_path / "first") + 1):
        lab = BenchLab(tmp_path / str(at))
        far = Far(lab.data, at, done=done, calls=calls)
        applier, recovery = machines(lab, far)
        draft = moving_draft(lab)
        before = everything(lab.root)
        plan = lab.plan(draft)
        try:
            status = applier.run(plan.id)
        except EngineUnavailable:
            # Before anything was changed, as data is looked at first.
            ended["refused"] += 1
            assert everything(lab.root) == before
            continue
        ended[status.error_code or status.state] += 1
        if calls > 1:
            assert (status.state, status.error_code) == (PlanState.APPLYING, UNKNOWN), (at, status)
            # Nothing starts on a folder that is not its own, and no other plan begins.
            assert "web" not in lab.docker.running()
            assert recovery.recover()[0].outcome is PlanState.APPLYING
            far.calls = 0
            assert recovery.recover()[0].outcome is PlanState.ROLLED_BACK
            status = lab.plans.status(plan.id)
        assert status.state is PlanState.ROLLED_BACK, (at, status)
        assert everything(lab.root) == before, at
        assert lab.docker.running().keys() == {"web"}
        assert recovery.recover() == []
    assert ended["refused"] >= 4 and ended[UNKNOWN if calls > 1 else "host_lost"] >= 6, ended


def test_a_connection_that_is_back_soon_is_waited_for(tmp_path: Path) -> None:
    """As of an engine that restarts: some calls of the way back are lost too."""
    first = calls_of(tmp_path / "first")
    for at in range(first - 3, first + 1):
        lab = BenchLab(tmp_path / str(at))
        applier, _ = machines(lab, Far(lab.data, at, done=True, calls=20))
        draft = moving_draft(lab)
        before = everything(lab.root)
        assert applier.run(lab.plan(draft).id).state is PlanState.ROLLED_BACK
        assert everything(lab.root) == before


def test_data_that_is_on_neither_side_is_told_and_not_taken_for_put_back(tmp_path: Path) -> None:
    """As of a stack whose file says another host by now, where nobody finds what was moved."""
    lab = BenchLab(tmp_path)
    applier, _ = machines(lab, Far(lab.data))
    draft = moving_draft(lab)
    plan = lab.plan(draft)

    def lose(status: PlanStatus) -> None:
        if status.step == "writing files":
            (lab.root / "pages/web/pages").rename(tmp_path / "elsewhere")
            raise RuntimeError("something else went wrong")

    status = applier.run(plan.id, lose)
    assert status.state is PlanState.FAILED
    assert "media/web/pages is neither there nor at pages/web/pages" in [e.what for e in status.evidence if not e.ok]
