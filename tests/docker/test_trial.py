"""Trials on the real engine: watched, told of, gone, and the lab never noticed.

Real here: Docker, Compose, the limits. Stand-ins: the programs (BusyBox).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.operations.trial_service import lab_mark
from homelab_mcp.model.plan import PlanState, PlanStatus, Requester
from homelab_mcp.model.trial import TRIAL_LABEL
from homelab_mcp.workflow.assembly import applier, approvals, recovery
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_trial import propose_trial
from homelab_mcp.workflow.trial_steps import project_of
from testbed import LocalImage
from testbed.docker_engine import docker
from tests.docker.crash_rig import kill_all, reaches

pytestmark = pytest.mark.timeout(120)

PIN = "27182818"
IMAGE = "homelab-testbed/tried:1"


@pytest.fixture(scope="module")
def lab(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> LocalLab:
    made = open_lab(str(tmp_path_factory.mktemp("lab") / "stacks"))
    init_lab(open_lab(made.root, files_only=True), {"domain": "lab.test", "email": "person@example.org"}, PIN)
    return made


def planned(lab: LocalLab, **values: Any) -> str:
    plan = propose_trial(lab, values, Requester("cli"))
    approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
    return plan.id


def tried(lab: LocalLab, **values: Any) -> PlanStatus:
    return applier(lab).run(planned(lab, **values))


def left(lab: LocalLab) -> list[str]:
    mark = f"label={TRIAL_LABEL}={lab_mark(lab.root)}"
    containers = docker("ps", "--all", "--quiet", "--no-trunc", "--filter", mark).split()
    return [*containers, *docker("network", "ls", "--quiet", "--filter", mark).split()]


def files(lab: LocalLab) -> dict[str, bytes]:
    found = Path(lab.root).rglob("*")
    return {str(p): p.read_bytes() for p in found if p.is_file() and not {".git", ".homelab"} & set(p.parts)}


def test_a_catalog_service_is_healthy_with_its_own_files_and_gone_again(
    lab: LocalLab, stand_in: Callable[..., LocalImage]
) -> None:
    image = lab.catalog.get("prometheus").container.image.reference
    stand_in(image, service="prometheus", ports=[9090])
    before, volumes = files(lab), docker("volume", "ls", "--quiet")
    status = tried(lab, service="prometheus", seconds=60)
    assert status.state is PlanState.DONE, status
    first = status.evidence[0]
    assert first.ok, status
    assert "prometheus is running" in first.what
    assert "healthy, at most" in first.what
    assert files(lab).keys() - before.keys() <= {f"{lab.root}/INVENTORY.md"}
    assert left(lab) == []
    assert docker("volume", "ls", "--quiet") == volumes


def test_a_program_that_ends_is_told_with_its_code_and_its_log(
    lab: LocalLab, stand_in: Callable[..., LocalImage]
) -> None:
    image = "homelab-testbed/tried-falls:1"
    stand_in(image, service="tried", ports=[80], variant="crash_loop")
    status = tried(lab, image=image, seconds=20)
    assert status.state is PlanState.DONE, status
    assert not status.evidence[0].ok
    assert "exit code 1" in status.evidence[0].what
    assert "failing on purpose" in status.evidence[1].detail
    assert left(lab) == []


@pytest.mark.parametrize("step", ["making", "running"])
def test_after_a_kill_the_next_recovery_removes_it_and_says_so(
    lab: LocalLab, stand_in: Callable[..., LocalImage], step: str
) -> None:
    stand_in(IMAGE, service="tried", ports=[80])
    files_before, volumes = files(lab), docker("volume", "ls", "--quiet")
    plan = planned(lab, image=IMAGE, seconds=60)
    worker = subprocess.Popen([sys.executable, "-m", "homelab_mcp.worker", "--root", lab.root, "apply", plan])
    assert reaches(60, lambda: lab.plans.status(plan).step.startswith(step)), lab.plans.status(plan)
    if step == "running":
        assert reaches(60, lambda: len(left(lab)) == 2), "a container and its network"
    # With the Compose that it runs, which the engine may still be obeying.
    kill_all(worker)
    (report,) = recovery(lab).recover()
    assert report.outcome is PlanState.ROLLED_BACK, report
    (seen,) = report.evidence
    assert seen.what.startswith("the trial is removed: "), report
    assert step == "making" or f"{project_of(lab.plans.get(plan))}-trial-1" in seen.what, report
    assert left(lab) == []
    assert docker("volume", "ls", "--quiet") == volumes
    assert files(lab) == files_before
    assert not recovery(lab).needed()
