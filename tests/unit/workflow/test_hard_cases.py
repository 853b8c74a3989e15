"""What a sceptic tried on the guard: dead workers, half-done labs, hands in the files, full disks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import PlanRefused, StorageFailed
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    PlanState,
    PlanStatus,
    Requester,
    Risk,
    RiskReason,
    Verification,
)
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.approvals import STARTING, Approvals, abandoned
from homelab_mcp.workflow.follow import follow, start
from homelab_mcp.workflow.plan_view import view
from homelab_mcp.workflow.recovery import Recovery
from tests.unit.workflow.bench_lab import OLD, BenchLab, no_findings
from tests.unit.workflow.test_recovery import begun


@pytest.fixture
def lab(tmp_path: Path) -> BenchLab:
    return BenchLab(tmp_path / "lab")


def desk(lab: BenchLab) -> Approvals:
    return Approvals(plans=lab.plans, journal=lab.journal, approver=lab.approver, clock=lab.clock, lock=lab.lock)


def test_a_plan_whose_worker_died_is_not_said_to_be_at_work(lab: BenchLab) -> None:
    plan_id = begun(lab, "up web")
    with lab.lock.hold(f"apply {plan_id}"):
        assert desk(lab).state(plan_id).error_code == ""
    told = desk(lab).state(plan_id)
    assert (told.state, told.error_code) == (PlanState.APPLYING, "interrupted")
    assert "put right" in view(lab.plans.get(plan_id), told, lab.clock.now()).next


def test_a_queued_plan_is_given_time_to_start_and_then_counts_as_abandoned(lab: BenchLab) -> None:
    plan = lab.plan(lab.change_draft("web:2"))
    lab.plans.set_status(plan.id, PlanStatus(PlanState.QUEUED, updated=lab.clock.now()))
    assert not abandoned(lab.plans, lab.lock, lab.clock, plan.id)
    assert not lab.recovery.needed()
    for jump in (STARTING + 1, -STARTING - 1):
        lab.clock.wall += jump
        assert abandoned(lab.plans, lab.lock, lab.clock, plan.id) is True
        assert lab.recovery.needed()
        lab.clock.wall -= jump


def test_nothing_is_built_on_what_an_interrupted_apply_left(lab: BenchLab) -> None:
    first = begun(lab, "up web")
    second = lab.plan(lab.add_draft())
    with pytest.raises(PlanRefused) as caught:
        lab.applier.run(second.id)
    assert caught.value.code == "recovery_needed"
    assert lab.plans.status(second.id).state is PlanState.APPROVED
    lab.recovery.recover()
    assert lab.plans.status(first).state is PlanState.ROLLED_BACK
    with pytest.raises(PlanRefused, match="changed"):
        lab.applier.run(second.id)


def test_without_docker_a_half_done_apply_with_containers_is_left_for_a_recovery_that_has_it(lab: BenchLab) -> None:
    plan_id = begun(lab, "up web")
    parts = replace_engine(lab)
    (report,) = Recovery(parts).recover()
    assert report.outcome is PlanState.APPLYING
    assert "Docker is left out" in report.evidence[0].what
    assert "web:2" in lab.compose_file.read_text(), "nothing was claimed and nothing touched"
    lab.docker.down_for = 10_000
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.APPLYING
    lab.docker.down_for = 0
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.ROLLED_BACK
    assert lab.compose_file.read_text() == OLD
    assert lab.plans.status(plan_id).state is PlanState.ROLLED_BACK


def replace_engine(lab: BenchLab) -> Applier:
    p = lab.applier
    return Applier(
        files=p.files, history=p.history, journal=p.journal, plans=p.plans, approver=p.approver, lock=p.lock,
        clock=p.clock, engine=None, compose=None, verifier=None,
    )  # fmt: skip


def test_a_person_who_edits_while_a_container_is_being_removed_loses_nothing(lab: BenchLab) -> None:
    assert lab.apply(lab.add_draft()).state is PlanState.DONE
    now = lab.compose_file.read_text()
    mine = "# mine\n" + now

    def edit(verb: str) -> None:
        if verb == "remove":
            lab.compose_file.write_text(mine)

    lab.compose.before = edit
    draft = Draft(
        "remove_service",
        "Remove app",
        (FileEdit("media/compose.yaml", now, OLD),),
        (EngineAction(ActionKind.REMOVE, "asked", "media", ("app",)),),
        Verification("media", gone=("app",)),
        target="app",
    )
    status = lab.apply(draft)
    assert status.error_code == "plan_stale"
    assert lab.compose_file.read_text() == mine
    assert set(lab.docker.running()) == {"app", "web"}, "and the container is back"


@pytest.mark.parametrize("recreated", [True, False])
def test_a_service_that_was_stopped_by_hand_is_not_running_after_a_roll_back(lab: BenchLab, recreated: bool) -> None:
    (web,) = lab.docker.containers_now.values()
    web.state = "exited"
    before = lab.docker.running()
    image = "web:2" if recreated else "web:1"
    draft = lab.change_draft(image)
    if not recreated:
        draft = replace(draft, edits=(FileEdit("media/notes.txt", None, "x\n"),))
    plan = lab.planner.make(draft, lab.planner.snapshot(containers=True), Requester("cli"), no_findings)
    lab.approvals.dialog(plan, "web", "test")
    remembered = lab.applier.undo.remember(plan)
    for edit in plan.draft.edits:
        lab.files.write_atomic(edit.path, edit.after or "", 0o644)
    lab.compose.up("media", ("web",))
    undone = lab.applier.undo.put_back(plan, remembered)
    assert undone.ok, undone
    assert lab.docker.running() == before
    assert [c.state for c in lab.docker.containers_now.values()] != ["running"]


def test_a_disk_that_takes_no_status_keeps_no_roll_back_from_its_end(lab: BenchLab) -> None:
    files = lab.visible()
    plan = lab.plan(lab.change_draft("exit:2"))
    write = lab.plans.set_status

    def full(plan_id: str, status: PlanStatus) -> None:
        if status.step in {"verifying", "rolling back", ""}:
            raise StorageFailed("The disk is full.", code="disk_full")
        write(plan_id, status)

    lab.plans.set_status = full  # type: ignore[method-assign] # a disk that fills at that moment
    status = lab.applier.run(plan.id)
    assert (status.state, status.error_code) == (PlanState.ROLLED_BACK, "disk_full")
    assert lab.visible() == files
    assert lab.events()[-1] == "rolled_back"
    assert not (lab.root / ".homelab" / "reserve").exists()


def test_no_line_of_a_reason_or_summary_looks_like_one_of_ours(lab: BenchLab) -> None:
    draft = replace(
        lab.change_draft("web:2"),
        summary="Change web\nRisk: low.",
        risks=(RiskReason(Risk.MEDIUM, "because\n\x1b[2J\u202eTo approve, type: yes"),),
    )
    plan = lab.planner.make(draft, lab.planner.snapshot(containers=True), Requester("mcp"), no_findings)
    for text in (plan.draft.summary, plan.draft.target, *plan.reasons):
        assert text.isprintable()


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_an_answer_that_comes_during_the_apply_changes_no_status(lab: BenchLab, answer: str) -> None:
    plan = lab.plan(lab.change_draft("web:2"))
    told: list[str] = []

    given = lab.plans.approval(plan.id)
    assert given is not None

    def late(verb: str) -> None:
        if verb == "up":
            with pytest.raises(PlanRefused) as caught:
                lab.approvals._record(replace(given, approved=answer == "yes"))
            told.extend([caught.value.code, str(lab.plans.status(plan.id).state)])

    lab.compose.before = late
    assert lab.applier.run(plan.id).state is PlanState.DONE
    assert told == ["plan_used", "applying"]
    assert lab.plans.status(plan.id).state is PlanState.DONE


class FakeWorker:
    """Starts nothing, or does at once what the worker would do."""

    def __init__(self, work: Callable[[str], object] = lambda plan_id: None) -> None:
        self.work, self.started = work, 0

    def start(self, plan_id: str) -> None:
        self.started += 1
        self.work(plan_id)


class BenchedLab(LocalLab):
    """A real lab's parts with a worker that the test steers."""

    def __init__(self, root: Path, worker: FakeWorker) -> None:
        super().__init__(str(root), files_only=True)
        self.__dict__["worker"] = worker


def open_plan(lab: BenchLab) -> str:
    lab.clock.wall = time.time()
    draft = replace(lab.change_draft("web:2"), actions=(), verification=Verification())
    return lab.plan(draft).id


def test_a_second_start_while_the_first_ends_does_not_queue_a_plan_that_is_done(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan_id = open_plan(lab)
    worker = FakeWorker()
    real = BenchedLab(lab.root, worker)
    from homelab_mcp.workflow.assembly import applier

    worker.work = lambda plan: (applier(real).run(plan), start(real, plan))
    start(real, plan_id)
    assert start(real, plan_id).state is PlanState.DONE
    assert real.plans.status(plan_id).state is PlanState.DONE
    assert worker.started == 1


def test_a_worker_that_never_starts_is_replaced_once_and_then_told(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan_id = open_plan(lab)
    worker = FakeWorker()
    real = BenchedLab(lab.root, worker)
    start(real, plan_id)
    status = real.plans.status(plan_id)
    real.plans.set_status(plan_id, replace(status, updated=status.updated - STARTING - 1))
    real.__dict__["clock"] = lab.clock
    told = follow(real, plan_id, seconds=60)
    assert (told.state, told.error_code, worker.started) == (PlanState.QUEUED, "interrupted", 2)
    start(real, plan_id)
    assert worker.started == 3, "asking again tries again"


def test_a_worker_that_cannot_be_started_leaves_the_plan_approved(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan_id = open_plan(lab)

    def fail(plan: str) -> None:
        raise OSError("no more processes")

    real = BenchedLab(lab.root, FakeWorker(fail))
    with pytest.raises(OSError, match="no more"):
        start(real, plan_id)
    assert real.plans.status(plan_id).state is PlanState.APPROVED


def test_what_the_lock_refuses_starts_no_process_and_says_who_holds_it(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan_id = open_plan(lab)
    worker = FakeWorker()
    real = BenchedLab(lab.root, worker)
    with lab.lock.hold("apply another"):
        told = start(real, plan_id)
    assert (told.state, told.error_code, worker.started) == (PlanState.APPROVED, "lab_locked", 0)
    assert "apply another" in told.error
    assert told == real.plans.status(plan_id)
    told = start(real, plan_id)
    assert (told.state, told.error, worker.started) == (PlanState.QUEUED, "", 1), "the same plan, once it is free"
