"""Docker goes on with a stop whose asker is gone: what was running when the lab was put back may not run after."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Plan, PlanState, Requester, Verification
from homelab_mcp.workflow.assembly import applier, approvals, planner, recovery
from testbed import LocalImage, Scratch
from testbed.docker_engine import docker, wait_until
from tests.docker.crash_rig import kill_all

pytestmark = pytest.mark.timeout(180)
GRACE = 4


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
            "    entrypoint: [/bin/sh, -c, 'while :; do sleep 1; done']\n"
            f"    stop_grace_period: {GRACE}s\n{check}"
            f"  fast:\n    image: {self.image}\n    environment: [V={version}]\n{more}{check}"
        )

    def plan(self, after: str) -> Plan:
        draft = Draft(
            operation="test",
            summary="Change both",
            edits=(FileEdit(f"{self.stack}/compose.yaml", self.file.read_text(), after),),
            actions=(EngineAction(ActionKind.UP, "start", self.stack, ("slow", "fast")),),
            verification=Verification(self.stack, ("slow", "fast")),
            target="slow",
        )
        desk = planner(self.lab)
        made = desk.make(draft, desk.snapshot(containers=True), Requester("cli"), lambda stacks, networks, edits: ())
        approvals(self.lab).dialog(made, "slow", "test")
        return made

    def seen(self) -> dict[str, tuple[str, str]]:
        return {c.service: (c.config_hash, c.state) for c in self.lab.engine.containers(self.stack)}

    def stays(self, before: dict[str, tuple[str, str]]) -> None:
        """As before now, and when what Docker was asked has had its time."""
        assert self.seen() == before
        time.sleep(GRACE + 1)
        assert self.seen() == before


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


def test_a_service_that_was_being_stopped_when_everything_was_killed_runs_after_the_recovery(slow: Slow) -> None:
    before = slow.seen()
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
    (report,) = recovery(slow.lab).recover()
    assert report.outcome is PlanState.ROLLED_BACK, report
    slow.stays(before)
    assert slow.lab.journal.verify() == ""
    assert recovery(slow.lab).recover() == []
