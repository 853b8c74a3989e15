"""What recovery decides from the journal and the plan's last step."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from homelab_mcp.model.errors import EngineFailed, LabLocked, NotFound, PlanRefused
from homelab_mcp.model.plan import Evidence, PlanState, PlanStatus
from homelab_mcp.workflow.keep_right import SECONDS, keep_right
from tests.unit.workflow.bench_lab import BenchLab


def begun(lab: BenchLab, step: str) -> str:
    """An apply that wrote its files and died at that step."""
    plan = lab.plan(lab.change_draft("web:2"))
    before = lab.applier.undo.remember(plan)
    assert lab.plans.consume(plan.id)
    lab.journal.append("apply_begin", {"plan": plan.id, "summary": plan.draft.summary, **before.as_dict()})
    lab.compose_file.write_text(lab.compose_file.read_text().replace("web:1", "web:2"))
    lab.compose.up("media", ("web",))
    lab.plans.set_status(plan.id, PlanStatus(PlanState.APPLYING, step))
    return plan.id


def test_an_interrupted_apply_is_undone_with_its_containers(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    before = lab.docker.running()
    plan_id = begun(lab, "verifying")
    assert lab.recovery.needed()
    (report,) = lab.recovery.recover()
    assert (report.plan_id, report.outcome) == (plan_id, PlanState.ROLLED_BACK)
    assert lab.docker.running() == before
    assert lab.plans.status(plan_id).error_code == "interrupted"
    assert not lab.recovery.needed()
    assert lab.recovery.recover() == []


def test_an_apply_that_was_verified_stands(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan_id = begun(lab, "verified")
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.DONE
    assert "web:2" in lab.compose_file.read_text()
    assert lab.plans.status(plan_id).state is PlanState.DONE


def test_recovery_does_not_touch_an_apply_at_work(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    begun(lab, "verifying")
    with lab.lock.hold("apply"), pytest.raises(LabLocked):
        lab.recovery.recover()
    assert "web:2" in lab.compose_file.read_text()


def test_a_plan_used_by_an_apply_that_changed_nothing_gets_an_end(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(lab.change_draft("web:2"))
    lab.plans.set_status(plan.id, PlanStatus(PlanState.QUEUED, updated=lab.clock.now()))
    assert lab.recovery.recover() == [], "its worker may just be starting"
    lab.clock.wall += 61
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.APPROVED
    assert lab.applier.run(plan.id).state is PlanState.DONE


def test_a_sigterm_during_the_apply_finishes_the_step_and_rolls_back(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    files, containers = lab.visible(), lab.docker.running()
    default = signal.getsignal(signal.SIGTERM)
    lab.compose.before = lambda verb: os.kill(os.getpid(), signal.SIGTERM) if verb == "pull" else None
    status = lab.apply(lab.change_draft("web:2"))
    assert (status.state, status.error_code) == (PlanState.ROLLED_BACK, "stopped")
    assert (lab.visible(), lab.docker.running()) == (files, containers)
    assert signal.getsignal(signal.SIGTERM) is default


def test_a_person_settles_an_apply_whose_host_never_comes_back(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan_id = begun(lab, "outcome unknown")
    with pytest.raises(NotFound):
        lab.recovery.accept(plan_id, "maria")
    lost = PlanStatus(PlanState.APPLYING, "outcome unknown", error="Host nas is gone.", error_code="outcome_unknown")
    lab.plans.set_status(plan_id, lost)
    other = lab.plan(lab.change_draft("web:3"))
    with pytest.raises(PlanRefused) as refused:
        lab.applier.run(other.id)
    assert (refused.value.code, f"--as-it-is {plan_id}" in refused.value.hint) == ("recovery_needed", True)

    lab.recovery.accept(plan_id, "maria")
    ended = lab.plans.status(plan_id)
    assert (ended.state, ended.error) == (PlanState.FAILED, "Host nas is gone. Left as it is, by maria.")
    assert "web:2" in lab.compose_file.read_text()
    assert lab.recovery.recover(retry_failed=True) == []
    assert lab.applier.run(other.id).state is PlanState.DONE


def ends_later(lab: BenchLab, after: float) -> None:
    """Docker is at stopping the container that stands there, and done with it that many seconds from now."""
    (web,) = lab.docker.containers_now.values()
    sleep, end = lab.clock.sleep, lab.clock.monotonic() + after

    def passes(seconds: float) -> None:
        begun = lab.clock.monotonic()
        sleep(seconds)
        if begun < end <= lab.clock.monotonic():
            web.state = "exited"

    lab.clock.sleep = passes  # type: ignore[method-assign] # the engine's own time


@pytest.mark.parametrize("step", ["up web", "rolling back", "outcome unknown"])
def test_a_container_that_docker_was_stopping_when_the_apply_died_runs_in_the_end(tmp_path: Path, step: str) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(lab.change_draft("web:2"))
    before = lab.applier.undo.remember(plan)
    assert lab.plans.consume(plan.id)
    lab.journal.append("apply_begin", {"plan": plan.id, "summary": plan.draft.summary, **before.as_dict()})
    lab.plans.set_status(plan.id, PlanStatus(PlanState.APPLYING, step))
    ends_later(lab, 9.0)
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.ROLLED_BACK
    assert [c.state for c in lab.docker.containers_now.values()] == ["running"]
    assert "web of media runs again as before" in [e.what for e in report.evidence]


def test_on_a_busy_machine_docker_is_given_longer(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(lab.change_draft("web:2"))
    before = lab.applier.undo.remember(plan)
    assert lab.plans.consume(plan.id)
    lab.journal.append("apply_begin", {"plan": plan.id, "summary": plan.draft.summary, **before.as_dict()})
    lab.plans.set_status(plan.id, PlanStatus(PlanState.APPLYING, "up web"))
    ask = lab.docker.ask

    def slow() -> None:
        lab.clock.passed += 0.2
        ask()

    lab.docker.ask = slow  # type: ignore[method-assign] # every call takes its time
    ends_later(lab, 18.0)
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.ROLLED_BACK
    assert [c.state for c in lab.docker.containers_now.values()] == ["running"]


def test_a_container_that_docker_was_stopping_when_compose_gave_up_runs_in_the_end(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(lab.change_draft("web:2"))

    def gives_up(verb: str) -> None:
        if verb == "up":
            lab.compose.before = lambda verb: None
            ends_later(lab, 5.0)
            raise EngineFailed("docker compose up failed: another service's name is taken")

    lab.compose.before = gives_up
    status = lab.applier.run(plan.id)
    assert status.state is PlanState.ROLLED_BACK, status
    assert [c.state for c in lab.docker.containers_now.values()] == ["running"]


def test_an_apply_that_died_while_nothing_was_asked_of_docker_is_put_right_at_once(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    begun(lab, "verifying")
    passed = lab.clock.passed
    lab.recovery.recover()
    assert lab.clock.passed - passed < 2.0


def test_a_pull_that_fails_is_told_at_once(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    status = lab.apply(lab.change_draft("nowhere:2"))
    assert status.state is PlanState.ROLLED_BACK
    assert lab.clock.passed < 2.0


class Enough(Exception):
    """Ends a look that would go on for ever."""


def test_a_server_that_runs_puts_right_what_a_busy_docker_left_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = BenchLab(tmp_path / "lab")
    before = lab.docker.running()
    rounds: list[str] = []

    def sleep(seconds: float) -> None:
        assert seconds == SECONDS
        rounds.append("")
        if len(rounds) == 2:
            rounds[-1] = begun(lab, "verifying")
        lab.docker.down_for = 10_000 if len(rounds) in (2, 3) else 0
        if len(rounds) == 6:
            raise Enough

    with pytest.raises(Enough):
        keep_right(lambda: lab.recovery, lab.docker, sleep)
    assert lab.docker.running() == before
    assert lab.plans.status(rounds[1]).state is PlanState.ROLLED_BACK
    said = [r.getMessage() for r in caplog.records if rounds[1] in r.getMessage()]
    assert len(said) == 1 and "rolled_back now" in said[0]


def test_what_stays_open_though_docker_answers_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan_id = begun(lab, "verifying")
    busy = Evidence("left as it is: Docker does not answer", ok=False)
    monkeypatch.setattr(lab.applier.undo, "out_of_reach", lambda plan: busy)
    rounds = iter(range(4))

    def sleep(_: float) -> None:
        if next(rounds) == 3:
            raise Enough

    with pytest.raises(Enough):
        keep_right(lambda: lab.recovery, lab.docker, sleep)
    said = [r.getMessage() for r in caplog.records]
    assert said == [f"the interrupted apply {plan_id} (Change web) is still open: {busy.what}"]
