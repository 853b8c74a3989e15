"""Docker goes on with a stop whose asker is gone: what was running when the lab was put back may not run after."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Plan,
    PlanState,
    PlanStatus,
    Requester,
    Verification,
)
from homelab_mcp.workflow.assembly import applier, approvals, planner, recovery
from homelab_mcp.workflow.recovery import RecoveryReport
from testbed import LocalImage, Scratch
from testbed.docker_engine import docker, wait_until
from tests.docker.crash_rig import kill_all
from tests.unit.workflow.unjudged import unjudged

pytestmark = pytest.mark.timeout(180)
GRACE = 4
BUSY = "exec sleep 1000"


class Slow:
    """A stack whose ``slow`` does not heed SIGTERM, so that each stop of it takes ``GRACE`` seconds, and ``fast``."""

    def __init__(self, root: Path, scratch: Scratch, image: str) -> None:
        self.root, self.image, self.stack = root, image, scratch.claim_project(f"slow-{scratch.run_id}")
        self.file = root / self.stack / "compose.yaml"
        self.file.parent.mkdir(parents=True)
        (root / "homelab.yaml").write_text("domain: lab.test\n")
        self.file.write_text(self.text("1"))
        self.lab = LocalLab(str(root))
        self.lab.history.ensure()
        self.lab.compose.up(self.stack, ())

    def text(self, version: str, more: str = "") -> str:
        check = "    healthcheck: {test: ['CMD', 'true'], interval: 300ms}\n    restart: unless-stopped\n"
        return (
            f"services:\n  slow:\n    image: {self.image}\n    environment: [V={version}]\n"
            f"    entrypoint: [/bin/sh, -c, '{BUSY}']\n"
            f"    stop_grace_period: {GRACE}s\n{check}"
            f"  fast:\n    image: {self.image}\n    environment: [V={version}]\n{more}{check}"
        )

    def plan(self, after: str, services: tuple[str, ...] = ("slow", "fast")) -> Plan:
        draft = Draft(
            operation="test",
            summary="Change them",
            edits=(FileEdit(f"{self.stack}/compose.yaml", self.file.read_text(), after),),
            actions=(EngineAction(ActionKind.UP, "start", self.stack, services),),
            verification=Verification(self.stack, services),
            target=services[0],
        )
        desk = planner(self.lab)
        made = desk.make(draft, desk.snapshot(containers=True), Requester("cli"), unjudged)
        approvals(self.lab).dialog(made, services[0], "test")
        return made

    def seen(self) -> dict[str, tuple[str, str]]:
        return {c.service: (c.config_hash, c.state) for c in self.lab.engine.containers(self.stack)}

    def pause(self) -> None:
        """Pause ``slow``: once more where the kernel could not freeze it, as happens on a busy machine."""

        def paused() -> bool | None:
            try:
                self.lab.compose.pause(self.stack, ("slow",))
            except EngineFailed as error:
                assert "unable to freeze" in str(error), error
                return None
            return True

        wait_until(paused, "slow to be paused", within=60)

    def stays(self, before: dict[str, tuple[str, str]]) -> None:
        """As before now, and when what Docker was asked has had its time."""
        assert self.seen() == before
        time.sleep(GRACE + 1)
        assert self.seen() == before


def recovered(lab: LocalLab) -> RecoveryReport:
    """The recovery's report: a Docker too busy to answer leaves the plan open and says so, and is asked once more."""
    (report,) = recovery(lab).recover()
    if report.outcome is PlanState.APPLYING and "did not answer in time" in str(report.evidence):
        (report,) = recovery(lab).recover()
    return report


@pytest.fixture
def slow(tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]) -> Iterator[Slow]:
    with Scratch() as scratch:
        image = stand_in(f"homelab-testbed/slow:{scratch.run_id}", service="web", ports=[80]).reference
        made = Slow(tmp_path / "lab", scratch, image)
        yield made
        made.lab.compose.down(made.stack)


def test_a_service_that_was_being_stopped_when_another_failed_runs_after_the_roll_back(slow: Slow) -> None:
    """Compose gives everything up at the first service that fails; a name that another container has is one."""
    before, taken = slow.seen(), f"taken-{slow.stack}"
    docker("create", "--name", taken, slow.image)
    try:
        plan = slow.plan(slow.text("2", f"    container_name: {taken}\n"))
        status = applier(slow.lab).run(plan.id)
    finally:
        docker("rm", "--force", taken)
    assert status.state is PlanState.ROLLED_BACK, status
    assert "up" in status.error, status
    slow.stays(before)


@pytest.mark.parametrize("paused", [False, True])
def test_a_service_that_was_being_stopped_when_everything_was_killed_is_as_before_after_the_recovery(
    slow: Slow, paused: bool
) -> None:
    """Docker lets a paused container go on to stop it: it runs then, and ends when its time to stop is over."""
    if paused:
        slow.pause()
    before = slow.seen()
    assert before["slow"][1] == ("paused" if paused else "running")
    plan = slow.plan(slow.text("2"))
    begun = str(time.time())
    argv = [sys.executable, "-m", "homelab_mcp.worker", "--root", str(slow.root), "apply", plan.id]
    child = subprocess.Popen(argv, env=dict(os.environ), stderr=subprocess.DEVNULL)

    def being_stopped() -> bool | None:
        asked = ["docker", "events", "--since", begun, "--until", str(time.time()), "--filter", "event=kill"]
        said = subprocess.run([*asked, "--format", "{{.Actor.Attributes.name}}"], capture_output=True, text=True)
        return f"{slow.stack}-slow-1" in said.stdout or None

    wait_until(being_stopped, "the stop of slow", within=60, every=0.05)
    kill_all(child)
    report = recovered(slow.lab)
    assert report.outcome is PlanState.ROLLED_BACK, report
    slow.stays(before)
    assert slow.lab.journal.verify() == ""
    assert recovery(slow.lab).recover() == []


def test_a_paused_service_that_an_apply_recreated_is_the_earlier_one_and_paused_after_the_roll_back(slow: Slow) -> None:
    slow.pause()
    before = slow.seen()
    plan = slow.plan(slow.text("2").replace(BUSY, "exit 3"))
    status = applier(slow.lab).run(plan.id)
    assert status.state is PlanState.ROLLED_BACK, status
    assert slow.seen() == before, status
    assert f"slow of {slow.stack} is paused, as before" in [e.what for e in status.evidence]


def test_what_depends_on_a_paused_service_is_put_back_beside_it(slow: Slow) -> None:
    """Compose starts what the services depend on, too, and Docker refuses to start what is paused."""
    old = slow.text("1", "    depends_on: [slow]\n")
    slow.file.write_text(old)
    slow.lab.compose.up(slow.stack, ())
    slow.pause()
    before = slow.seen()
    alone = slow.text("1", "    entrypoint: [/bin/sh, -c, exit 3]\n")
    status = applier(slow.lab).run(slow.plan(alone, ("fast",)).id)
    assert status.state is PlanState.ROLLED_BACK, status
    assert slow.seen() == before, status


def test_a_create_that_docker_ends_after_the_sweep_is_swept_when_its_name_is_asked_for(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose makes ``<id>_<name>`` first; here the one that a killed Compose asked for comes right before that."""
    old, hand = slow.file.read_text(), slow.text("by hand")
    slow.file.write_text(hand)
    plan = slow.plan(slow.text("2"))
    remembered = applier(slow.lab).undo.remember(plan)
    assert slow.lab.plans.consume(plan.id)
    slow.lab.journal.append("apply_begin", {"plan": plan.id, "summary": plan.draft.summary, **remembered.as_dict()})
    slow.file.write_text(slow.text("2"))
    slow.lab.plans.set_status(plan.id, PlanStatus(PlanState.APPLYING, "up slow, fast"))
    (fast,) = [c for c in slow.lab.engine.containers(slow.stack) if c.service == "fast"]
    docker("stop", "--time", "1", fast.id)
    late = f"{fast.id[:12]}_{fast.name}"
    back = slow.lab.compose.back
    said: list[str] = []

    def meanwhile(stack: str, services: Sequence[str]) -> None:
        if not said:
            labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", fast.id))
            # Without Compose's hash it does not see it, as when the create ends between its look and its own create.
            ours = [k for k in labels if k.startswith("com.docker.compose.") and not k.endswith(".config-hash")]
            flags = [f"--label={k}={labels[k]}" for k in ours]
            docker("create", "--name", late, *flags, slow.image)
        try:
            back(stack, services)
        except EngineFailed as error:
            said.append(str(error))
            raise

    monkeypatch.setattr(slow.lab.compose, "back", meanwhile)
    report = recovered(slow.lab)
    assert report.outcome is PlanState.ROLLED_BACK, report
    assert [late in s for s in said] == [True], said
    assert {c.name: c.state for c in slow.lab.engine.containers(slow.stack)} == {
        f"{slow.stack}-{s}-1": "running" for s in ("slow", "fast")
    }
    assert slow.seen()["fast"][0] == slow.lab.compose.hashes(slow.stack)["fast"]
    assert slow.file.read_text() == hand != old
    assert recovery(slow.lab).recover() == []
