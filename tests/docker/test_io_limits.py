"""Limits of disk traffic on a real engine: what it holds a container to is what the plan said, discarded or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.model.plan import PlanState
from homelab_mcp.queries.machine import host_of
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_changes import propose_update_service
from testbed import LocalImage, Scratch
from testbed.docker_engine import docker
from tests.docker.test_change_services import CLI, ChangeRig

pytestmark = pytest.mark.timeout(180)

HELD = {
    "read_bps": "BlkioDeviceReadBps",
    "write_bps": "BlkioDeviceWriteBps",
    "read_iops": "BlkioDeviceReadIOps",
    "write_iops": "BlkioDeviceWriteIOps",
}


@pytest.fixture
def lab_rig(tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]) -> Iterator[ChangeRig]:
    with Scratch() as scratch:
        made = ChangeRig(tmp_path / "lab", scratch, stand_in)
        yield made
        made.lab.compose.down(made.apps)


def disk() -> str:
    """A whole disk of this machine."""
    names = sorted(p.name for p in Path("/sys/block").iterdir() if Path("/dev", p.name).is_block_device())
    real = [name for name in names if not name.startswith(("loop", "ram", "zram", "sr", "fd"))]
    return f"/dev/{(real or names)[0]}"


def held(rig: ChangeRig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", f"{rig.apps}-wiki-1"))
    return found


def test_the_engine_holds_a_container_to_what_the_plan_did_not_call_void(lab_rig: ChangeRig) -> None:
    device = disk()
    before = lab_rig.files()
    limits = {"io_device": device, "read_bps": "20M", "write_bps": "10M", "read_iops": "500", "write_iops": "400"}
    plan = propose_update_service(lab_rig.lab, "wiki", lab_rig.apps, {"limits": limits}, CLI)
    done = lab_rig.apply(plan)
    assert done.state is PlanState.DONE, done
    host = held(lab_rig)
    wanted = {"read_bps": 20 * 2**20, "write_bps": 10 * 2**20, "read_iops": 500, "write_iops": 400}
    machine = host_of(lab_rig.lab)
    assert machine is not None
    told = " ".join(plan.draft.notes)
    for name, key in HELD.items():
        got = [(one["Path"], one["Rate"]) for one in host[key] or ()]
        void = name in machine.io.void
        assert got == ([] if void else [(device, wanted[name])]), (name, machine.io)
        assert (machine.io.void.get(name, "nothing of it") in told) == void
    assert lab_rig.apply(propose_rollback(lab_rig.lab, plan.id, CLI)).state is PlanState.DONE
    assert lab_rig.files() == before
    assert not any(held(lab_rig)[key] for key in HELD.values())


def test_a_weight_is_kept_or_called_void(lab_rig: ChangeRig) -> None:
    plan = propose_update_service(lab_rig.lab, "wiki", lab_rig.apps, {"limits": {"io_weight": "15"}}, CLI)
    machine = host_of(lab_rig.lab)
    assert machine is not None
    done = lab_rig.apply(plan)
    told = " ".join(plan.draft.notes)
    if machine.io.weighs is False:
        assert done.state is PlanState.DONE and held(lab_rig)["BlkioWeight"] == 0
        assert f"io_weight counts for nothing here: the engine discards it ({machine.io.why})" in told
    elif done.state is PlanState.DONE:
        assert held(lab_rig)["BlkioWeight"] == 15 and "counts against those of other containers" in told
    else:
        # No file for weights, as the plan said may be.
        assert machine.io.weighs is None and "does not start" in told and done.state is PlanState.ROLLED_BACK


def test_a_class_never_brings_a_weight_that_keeps_a_container_from_starting(lab_rig: ChangeRig) -> None:
    plan = propose_update_service(lab_rig.lab, "wiki", lab_rig.apps, {"resources": "downloader"}, CLI)
    machine = host_of(lab_rig.lab)
    assert machine is not None
    assert lab_rig.apply(plan).state is PlanState.DONE
    assert held(lab_rig)["BlkioWeight"] == (15 if machine.io.weighs else 0)
