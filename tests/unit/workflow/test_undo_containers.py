"""Containers that a killed Compose, or a person's pause, makes harder to put back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.model.plan import PlanState, PlanStatus
from tests.unit.workflow.bench_lab import BenchLab
from tests.unit.workflow.test_recovery import begun, ends_later


@pytest.mark.parametrize("listed_after", [0.0, 2.0])
def test_a_create_that_docker_ends_after_the_sweep_is_swept_once_it_is_listed(
    tmp_path: Path, listed_after: float
) -> None:
    """Docker gives the name away first: for a while it is taken by a container that no list shows."""
    lab = BenchLab(tmp_path / "lab")
    before = lab.docker.running()
    plan_id = begun(lab, "up web")
    late = "1f0c5ab3d2e4_media-web-1"
    swept: list[str] = []

    def sweep(stack: str) -> list[str]:
        if late and tried and not swept and lab.clock.monotonic() >= tried[0] + listed_after:
            swept.append(late)
            return [late]
        return []

    tried: list[float] = []
    back = lab.compose.back

    def taken(stack: str, services: Sequence[str]) -> None:
        tried.append(lab.clock.monotonic())
        if not swept:
            said = f'Conflict. The container name "/{late}" is already in use by container "77aa".'
            raise EngineFailed("docker compose up failed", details={"output": said})
        back(stack, services)

    lab.docker.sweep_renamed = sweep  # type: ignore[method-assign] # what a killed Compose had asked for
    lab.compose.back = taken  # type: ignore[method-assign]
    (report,) = lab.recovery.recover()
    assert (report.plan_id, report.outcome) == (plan_id, PlanState.ROLLED_BACK), report
    assert swept == [late]
    assert lab.docker.running() == before
    assert len(tried) == (2 if not listed_after else 6)


def test_a_name_that_somebody_keeps_is_told_after_a_while(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    begun(lab, "up web")
    said = 'Conflict. The container name "/media-web-1" is already in use by container "77aa".'

    def taken(stack: str, services: Sequence[str]) -> None:
        raise EngineFailed("docker compose up failed", details={"output": said})

    lab.compose.back = taken  # type: ignore[method-assign] # by a container of no stack
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.FAILED
    assert any(said in e.detail for e in report.evidence if not e.ok)
    assert 15 <= lab.clock.passed < 20


@pytest.mark.parametrize("meanwhile", ["recreated", "stopped", "going on"])
def test_what_was_paused_before_the_apply_is_the_same_container_and_paused_after_it(
    tmp_path: Path, meanwhile: str
) -> None:
    lab = BenchLab(tmp_path / "lab")
    (web,) = lab.docker.containers_now.values()
    web.state = "paused"
    before = lab.docker.running()
    plan = lab.plan(lab.change_draft("web:2"))
    remembered = lab.applier.undo.remember(plan)
    assert lab.plans.consume(plan.id)
    lab.journal.append("apply_begin", {"plan": plan.id, "summary": plan.draft.summary, **remembered.as_dict()})
    lab.plans.set_status(plan.id, PlanStatus(PlanState.APPLYING, "up web"))
    if meanwhile == "recreated":
        lab.compose_file.write_text(lab.compose_file.read_text().replace("web:1", "web:2"))
        lab.compose.up("media", ("web",))
    web.state = {"stopped": "exited"}.get(meanwhile, "running")
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.ROLLED_BACK, report
    assert lab.docker.running() == before
    assert [c.state for c in lab.docker.containers_now.values()] == ["paused"]
    assert report.evidence[-1].what == "web of media is paused, as before"


def test_a_paused_container_that_docker_was_stopping_is_paused_in_the_end(tmp_path: Path) -> None:
    """Also where the kernel could not freeze it at once."""
    lab = BenchLab(tmp_path / "lab")
    (web,) = lab.docker.containers_now.values()
    web.state = "paused"
    plan = lab.plan(lab.change_draft("web:2"))
    remembered = lab.applier.undo.remember(plan)
    assert lab.plans.consume(plan.id)
    lab.journal.append("apply_begin", {"plan": plan.id, "summary": plan.draft.summary, **remembered.as_dict()})
    lab.plans.set_status(plan.id, PlanStatus(PlanState.APPLYING, "up web"))
    ends_later(lab, 9.0)
    pause = lab.compose.pause
    tries: list[float] = []

    def frozen(stack: str, services: Sequence[str]) -> None:
        tries.append(lab.clock.monotonic())
        if len(tries) < 3:
            raise EngineFailed("docker compose pause failed", details={"output": "unable to freeze: unknown"})
        pause(stack, services)

    lab.compose.pause = frozen  # type: ignore[method-assign]
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.ROLLED_BACK
    assert len(tries) == 3
    lab.clock.sleep(10)
    assert [c.state for c in lab.docker.containers_now.values()] == ["paused"]


def test_a_paused_service_that_compose_must_start_goes_on_until_the_others_are_back(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    lab.compose_file.write_text(lab.compose_file.read_text() + "  db:\n    image: db:1\n")
    lab.compose.up("media", ("db",))
    lab.compose.pause("media", ("db",))
    before = lab.docker.running()
    begun(lab, "up web")
    back = lab.compose.back

    def starts_db(stack: str, services: Sequence[str]) -> None:
        db = lab.compose.find("media", "db")
        if db is None or db.state == "paused":
            said = "Error response from daemon: cannot start a paused container, try unpause instead"
            raise EngineFailed("docker compose up failed", details={"output": said})
        back(stack, services)

    lab.compose.back = starts_db  # type: ignore[method-assign] # as web depends on it
    (report,) = lab.recovery.recover()
    assert report.outcome is PlanState.ROLLED_BACK, report
    assert lab.docker.running() == before
    assert {c.service: c.state for c in lab.docker.containers_now.values()} == {"web": "running", "db": "paused"}
