"""What happens when a step of an apply fails, or the clock jumps there, at every named point in turn."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from homelab_mcp.model.errors import HomelabError, JournalUnwritable, PlanRefused, StorageFailed
from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.approvals import Approvals
from homelab_mcp.workflow.plan_view import view
from homelab_mcp.workflow.recovery import Recovery
from homelab_mcp.workflow.verifier import Verifier
from tests.failpoints import Points
from tests.unit.workflow.bench_lab import OLD, BenchLab

HOUR, YEAR = 3600.0, 365.25 * 86400


def pointed(lab: BenchLab, at: Callable[[str], None]) -> Applier:
    """The lab's applier with a point before and after every step."""
    points = Points(at)
    docker = points.behind("engine", lab.docker)
    parts = {part: points.behind(part, getattr(lab, part)) for part in ("files", "history", "journal", "plans")}
    return Applier(
        **parts,
        approver=lab.approver,
        lock=lab.lock,
        clock=lab.clock,
        engine=docker,
        compose=points.behind("compose", lab.compose),
        verifier=Verifier(engine=docker, probe=lab.probe, clock=lab.clock),
    )


def points_of(root: Path) -> list[str]:
    lab, seen = BenchLab(root), list[str]()
    assert pointed(lab, seen.append).run(lab.plan(lab.add_draft()).id).state is PlanState.DONE
    assert len(seen) > 40, seen
    return seen


def test_a_disk_that_fills_at_any_step_loses_no_original(tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    on_disk = ("files", "history", "journal", "plans")
    points = [p for p in points_of(tmp_path / "first") if p.split()[1].split(".")[0] in on_disk]
    for number, point in enumerate(p for p in points if p.startswith("before") and "release" not in p):
        lab = BenchLab(tmp_path / str(number))
        before, containers = lab.visible(), lab.docker.running()
        plan = lab.plan(lab.add_draft())

        def full(here: str, point: str = point) -> None:
            if here == point:
                raise (JournalUnwritable if "journal" in point else StorageFailed)("The disk is full.")

        try:
            state = pointed(lab, full).run(plan.id).state
        except HomelabError as error:
            state = PlanState.DECLINED
            assert error.code in {"storage_failed", "journal_unwritable"}, (point, error)
        outcomes[state] += 1
        if state is PlanState.DONE:
            assert {e.path: e.after for e in plan.draft.edits} == {
                e.path: lab.files.read(e.path) for e in plan.draft.edits
            }
        else:
            assert (lab.visible(), lab.docker.running()) == (before, containers), point
        assert lab.journal.verify() == ""
        lab.recovery.recover()
        assert lab.recovery.recover() == [], point
        assert (lab.visible() == before) is (state is not PlanState.DONE), point
    assert set(outcomes) == {PlanState.DECLINED, PlanState.ROLLED_BACK, PlanState.DONE}, outcomes
    assert outcomes[PlanState.ROLLED_BACK] > 8, outcomes


@pytest.mark.parametrize("jump", [HOUR, -HOUR, YEAR, -YEAR])
def test_a_jump_of_the_clock_at_any_step_ends_no_apply_and_lengthens_no_plan(tmp_path: Path, jump: float) -> None:
    for number, point in enumerate(points_of(tmp_path / "first")[::6]):
        lab = BenchLab(tmp_path / str(number))
        late = lab.plan(lab.change_draft("web:3"))

        def leap(here: str, point: str = point, lab: BenchLab = lab) -> None:
            if here == point:
                lab.clock.wall += jump

        assert pointed(lab, leap).run(lab.plan(lab.add_draft()).id).state is PlanState.DONE, point
        with pytest.raises(PlanRefused) as caught:
            lab.applier.run(late.id)
        assert caught.value.code == "plan_expired", point
        assert lab.recovery.recover() == []


def test_of_fifty_processes_and_a_thousand_replays_one_applies(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    lab.history.ensure()
    plan = lab.plan(lab.change_draft("web:2"))
    gate, ended = os.pipe(), []
    children = []
    for _ in range(50):
        child = os.fork()
        if child == 0:
            code = 9
            try:
                os.close(gate[1])
                os.read(gate[0], 1)
                code = 0 if lab.applier.run(plan.id).state is PlanState.DONE else 8
            except HomelabError as error:
                code = {"plan_used": 1, "lab_locked": 2, "plan_stale": 3}.get(error.code, 7)
            finally:
                os._exit(code)
        children.append(child)
    os.close(gate[1])
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    os.close(gate[0])
    assert ended.count(0) == 1, ended
    assert set(ended) <= {0, 1, 2, 3}, ended
    for _ in range(1000):
        with pytest.raises(PlanRefused, match="once"):
            lab.applier.run(plan.id)
    assert lab.events().count("apply_begin") == lab.events().count("apply_done") == 1


def test_docker_away_for_longer_leaves_the_outcome_unknown_and_a_recovery_ends_it(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    before, containers = lab.visible(), lab.docker.running()
    plan = lab.plan(lab.add_draft())

    def stop(here: str) -> None:
        if here == "after compose.up 1":
            lab.docker.down_for = 100_000

    status = pointed(lab, stop).run(plan.id)
    assert (status.state, status.error_code) == (PlanState.APPLYING, "outcome_unknown")
    assert status.error.startswith("Docker is not running")
    assert 60 <= lab.clock.passed < 70
    told = Approvals(plans=lab.plans, journal=lab.journal, approver=lab.approver, clock=lab.clock, lock=lab.lock).state(
        plan.id
    )
    assert told.error_code == "outcome_unknown"
    assert "Once it is back, call apply_plan again" in view(plan, told, lab.clock.now()).next
    assert lab.events()[-1] == "outcome_unknown"
    assert lab.recovery.recover()[0].outcome is PlanState.APPLYING, "it is still away"
    lab.docker.down_for = 0
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.ROLLED_BACK
    assert any("Docker is not running" in e.what for e in report.evidence), "why it was taken back is kept"
    assert (lab.visible(), lab.docker.running()) == (before, containers)
    assert lab.recovery.recover() == []


@pytest.mark.parametrize("step", ["compose.down", "compose.up", "engine.remove_network"])
def test_docker_restarted_during_the_roll_back_is_waited_for(tmp_path: Path, step: str) -> None:
    lab = BenchLab(tmp_path / "lab")
    before, containers = lab.visible(), lab.docker.running()
    lab.compose_file.write_text(OLD)
    seen: list[str] = []
    draft = lab.add_draft("exit:1") if step != "compose.up" else lab.change_draft("exit:2")

    def restart(here: str) -> None:
        rolling = lab.plans.status(plan.id).step == "rolling back"
        if rolling and here.startswith(f"before {step}") and not seen:
            seen.append(here)
            lab.docker.down_for = 5

    plan = lab.plan(draft)
    status = pointed(lab, restart).run(plan.id)
    assert status.state is PlanState.ROLLED_BACK, status
    assert (lab.visible(), lab.docker.running()) == (before, containers)


def test_an_apply_left_open_is_found_by_a_recovery_in_another_process(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(lab.change_draft("web:2"))

    def stop(here: str) -> None:
        if here == "before compose.up 1":
            lab.docker.down_for = 100_000

    assert pointed(lab, stop).run(plan.id).error_code == "outcome_unknown"
    later = BenchLab(lab.root)
    assert later.recovery.needed()
    assert Recovery(later.applier).recover()[0].outcome is PlanState.ROLLED_BACK
    assert later.compose_file.read_text() == OLD
