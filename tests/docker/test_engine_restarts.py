"""An engine that is stopped at each step of an apply, for a moment or for longer than an apply waits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.assembly import recovery
from testbed import LocalImage, Scratch
from testbed import stand_in as make_stand_in
from tests.docker.crash_rig import CrashRig, reaches
from tests.docker.private_engine import PrivateEngine

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]

STEPS = (
    "before plans.consume 1",
    "before engine.create_network 1",
    "before files.write_atomic 1",
    "before compose.pull 1",
    "before history.commit 1",
    "before compose.up 1",
    "before compose.up 2",
    "after compose.up 2",
    "before journal.append 2",
)
BACK_STEPS = tuple(s.replace("engine.create_network", "compose.remove") for s in STEPS)
MIDDLE = 0.5
"""Seconds into ``docker compose up``."""


@pytest.fixture(scope="module")
def engine() -> Iterator[PrivateEngine]:
    with PrivateEngine() as made:
        yield made


@pytest.fixture
def rig(tmp_path: Path, engine: PrivateEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[CrashRig]:
    # Everything below is made on that engine, images too.
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    kept: Callable[..., LocalImage] = make_stand_in
    with Scratch() as scratch:
        yield CrashRig(tmp_path / "lab", scratch, kept)


def interrupted(rig: CrashRig, engine: PrivateEngine, point: str, seconds: float, *, into: float = 0.0) -> CrashRig:
    """One apply during which the engine is stopped at that point and started again later."""
    plan, files = rig.plan(), rig.files()
    held = rig.root.parent / "held"
    child = rig.worker(plan, HOMELAB_AT=point, HOMELAB_THEN=f"hold {held}")
    if not reaches(60, held.exists):
        log = (rig.root.parent / "worker.log").read_text()[-2000:]
        pytest.fail(f"{point} was not reached: {rig.lab.plans.status(plan.id)} {child.poll()} {log}")
    if into:
        held.unlink()
        time.sleep(into)
    engine.stop()
    held.unlink(missing_ok=True)
    away = time.monotonic() + seconds
    if seconds > 60:
        child.wait(timeout=150)
        status = rig.lab.plans.status(plan.id)
        assert (status.state, status.error_code) == (PlanState.APPLYING, "outcome_unknown"), status
        assert any("Docker does not answer" in e.what for e in status.evidence)
        assert rig.lab.journal.entries()[-1]["event"] == "outcome_unknown"
        engine.start()
        (report,) = recovery(rig.lab).recover()
        assert report.outcome is PlanState.ROLLED_BACK, report
    else:
        time.sleep(max(0.0, away - time.monotonic()))
        engine.start()
        child.wait(timeout=150)
    status = rig.lab.plans.status(plan.id)
    assert status.state in {PlanState.DONE, PlanState.ROLLED_BACK}, (point, status)
    SEEN[f"{point} +{into:g} s: {rig.judge(plan, files, (point, seconds, into))}"] += 1
    rig.rest()
    return rig


SEEN: Counter[str] = Counter()


def test_an_engine_stopped_for_five_seconds_at_each_step_leaves_before_or_after(
    rig: CrashRig, engine: PrivateEngine
) -> None:
    begun = time.monotonic()
    for point in STEPS:
        if rig.side:
            rig.finish(rig.plan())
            rig.rest()
        interrupted(rig, engine, point, 5)
        print(SEEN, flush=True)
    for point in BACK_STEPS:
        if not rig.side:
            rig.finish(rig.plan())
        interrupted(rig, engine, point, 5)
    for into in (0.3, MIDDLE, 0.9):
        interrupted(rig, engine, "before compose.up 1", 1, into=into)
    print(*SEEN.items(), f"{time.monotonic() - begun:.0f} s", sep="\n")


@pytest.mark.parametrize("point", ["before compose.up 1", "after compose.up 2"])
def test_an_engine_away_for_longer_leaves_the_outcome_unknown_until_it_is_back(
    rig: CrashRig, engine: PrivateEngine, point: str
) -> None:
    interrupted(rig, engine, point, 65)
