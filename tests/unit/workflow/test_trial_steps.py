"""A trial's apply: what it tells, and that it is taken away, whatever becomes of it. The runner is make-believe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.operations.trial_service import TrialRequest, trial_service
from homelab_mcp.model.errors import EngineFailed, HomelabError
from homelab_mcp.model.plan import Draft, Evidence, PlanState, Requester
from homelab_mcp.model.trial import Trial, TrialSeen
from homelab_mcp.workflow.plan_view import next_step
from homelab_mcp.workflow.propose_trial import propose_trial
from homelab_mcp.workflow.recovery import Recovery
from tests.unit.core.operation_parts import SETTINGS, argon2, find, secret
from tests.unit.workflow.bench_lab import BenchLab

ENDED = TrialSeen("trial", "exited", exit_code=3, seconds=2, memory=5 * 2**20, log=("going", "token=hunter2hunter2"))
WELL = TrialSeen("trial", "running", "healthy", seconds=4, memory=9 * 2**20)


class Died(BaseException):
    """Stands for a kill."""


class FakeTrials:
    """Keeps the names of what is there; ``seen`` is what a run sees, or what it raises."""

    def __init__(self, seen: TrialSeen | BaseException) -> None:
        self.seen = seen
        self.there: list[str] = []

    def run(self, project: str, trial: Trial, step: Callable[[str], None]) -> tuple[TrialSeen, ...]:
        self.there.append(project)
        step(f"running {trial.main}")
        if isinstance(self.seen, BaseException):
            raise self.seen
        return (self.seen,)

    def remove(self, project: str) -> list[str]:
        gone = [p for p in self.there if p == project]
        self.there = [p for p in self.there if p != project]
        return gone

    def sweep(self) -> list[str]:
        gone, self.there = self.there, []
        return gone


def made(root: Path, seen: TrialSeen | BaseException) -> tuple[BenchLab, FakeTrials]:
    lab, trials = BenchLab(root), FakeTrials(seen)
    lab.applier.trials = lab.applier.undo._trials = trials
    return lab, trials


def draft() -> Draft:
    return trial_service(
        SETTINGS, TrialRequest(image="busybox:1"), find=find, secrets=secret, argon2=argon2, root="/lab"
    )


@pytest.mark.parametrize(("seen", "well"), [(ENDED, False), (WELL, True)])
def test_a_trial_is_done_however_it_did_and_tells_how(tmp_path: Path, seen: TrialSeen, well: bool) -> None:
    lab, trials = made(tmp_path / "lab", seen)
    files = lab.visible()
    plan = lab.plan(draft())
    status = lab.applier.run(plan.id)
    assert status.state is PlanState.DONE, status
    assert trials.there == []
    assert lab.visible() == files
    assert lab.docker.calls == []
    assert status.evidence[0].ok is well
    told = "\n".join(f"{e.what} {e.detail}" for e in status.evidence)
    assert ("exit code 3" in told, "healthy" in told) == (not well, well)
    assert "M of memory" in told
    assert "hunter2" not in told
    assert "is over and removed" in next_step(plan, status)


def test_what_goes_wrong_meanwhile_leaves_nothing_behind(tmp_path: Path) -> None:
    lab, trials = made(tmp_path / "lab", EngineFailed("no such image"))
    status = lab.apply(draft())
    assert status.state is PlanState.ROLLED_BACK
    assert trials.there == []


def test_after_a_kill_the_next_recovery_takes_it_away(tmp_path: Path) -> None:
    lab, trials = made(tmp_path / "lab", Died())
    plan = lab.plan(draft())
    with pytest.raises(Died):
        lab.applier.run(plan.id)
    assert len(trials.there) == 1
    (name,) = trials.there
    (report,) = Recovery(lab.applier).recover()
    assert report.outcome is PlanState.ROLLED_BACK
    assert trials.there == []
    assert report.evidence == (Evidence(f"the trial is removed: {name}", ok=True),)


def test_what_a_trial_without_a_record_left_goes_with_the_next_recovery_and_the_journal_tells(tmp_path: Path) -> None:
    lab, trials = made(tmp_path / "lab", WELL)
    trials.there.append("homelab-trial-forgotten")
    assert Recovery(lab.applier).recover() == []
    assert trials.there == []
    last = lab.journal.entries()[-1]
    assert (last["event"], last["data"]) == ("trials_removed", {"names": ["homelab-trial-forgotten"]})
    lines = len(lab.journal.entries())
    assert Recovery(lab.applier).recover() == []
    assert len(lab.journal.entries()) == lines


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"service": "uptime-kumma"}, "unknown_service"),
        ({}, "missing_input"),
        ({"image": "busybox:1"}, "plan_needs_docker"),
        ({"service": "uptime-kuma"}, "plan_needs_docker"),
    ],
)
def test_a_slip_in_the_question_is_told_before_docker_that_is_missing(
    tmp_path: Path, values: dict[str, str], code: str
) -> None:
    lab = open_lab(str(tmp_path), files_only=True)
    lab.files.write_atomic("homelab.yaml", "domain: lab.test\n", 0o644)
    with pytest.raises(HomelabError) as told:
        propose_trial(lab, values, Requester("cli"))
    assert told.value.code == code
