"""What is said of a host, from made figures; and that this one can be read."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from homelab_mcp.adapters.docker_meter import disk_classes, use
from homelab_mcp.adapters.host_health import read_health
from homelab_mcp.adapters.processes import processes
from homelab_mcp.core.host_findings import as_dict, judged
from homelab_mcp.model.host import HostHealth, MountUse, ProcessSeen, Unseen

GIB = 2**30
WELL = HostHealth(
    load=(0.1, 0.1, 0.1), cpus=4, memory=8 * GIB, available=6 * GIB,
    mounts=(MountUse("/", "ext4", 100 * GIB, 50 * GIB, 100, 90),),
    clock_synced=True, resolved={"x.org": True}, reboot="", updates=0,
)  # fmt: skip


def said(health: HostHealth) -> list[str]:
    return [check.name for check in judged(health)]


def test_a_host_that_is_well_has_nothing_said_of_it() -> None:
    assert said(WELL) == []


def test_each_trouble_is_said_with_what_a_person_does() -> None:
    process = ProcessSeen(7, 1, "sh", "me", "Z", 100.0, 0.0, 0)
    ill = HostHealth(
        load=(9.0, 9.0, 9.0), cpus=2, memory=8 * GIB, available=GIB // 4, swap=GIB, swap_free=0, pressure={"io": 0.5},
        mounts=(
            MountUse("/", "ext4", 100 * GIB, GIB, 100, 1),
            MountUse("/mnt/nas", "nfs4", answered=False),
        ),
        processes=(
            process,
            ProcessSeen(8, 1, "cp", "me", "D", 100.0, 0.0, 0, waited=True),
            ProcessSeen(9, 1, "node", "me", "R", 4000.0, 1.0, GIB),
            ProcessSeen(1, 0, "init", "root", "S", 9000.0, 0.0, 0),
        ),
        clock_synced=False, resolved={"a.org": None, "b.org": False}, reboot="updated: linux-image", updates=3,
        security_updates=1, lists_age=30 * 86_400.0, unseen=(Unseen("x", "y", "z"),),
    )  # fmt: skip
    found = list(judged(ill))
    names = [check.name for check in found]
    wanted = "disk inodes memory swap pressure load zombies stuck busy clock dns reboot updates package_lists"
    for name in wanted.split():
        assert name in names, name
    text = " ".join(check.sentence + check.hint for check in found)
    assert "/mnt/nas (nfs4) does not answer" in text
    assert "`kill 9`" in text
    assert "init (1)" in text
    body = as_dict(ill, {}, top=2)
    assert body["unseen"] == [{"what": "x", "because": "y", "run_instead": "z"}]
    assert {one["pid"] for one in body["stuck"]} == {7, 8}
    assert body["disks"][0] == {"path": "/mnt/nas", "filesystem": "nfs4", "answers": False}


def test_a_real_zombie_and_a_busy_process_are_seen(tmp_path: Path) -> None:
    code = "import os,time,sys\nif os.fork() == 0: os._exit(0)\nt=time.time()\nwhile time.time()-t < 30: pass\n"
    parent = subprocess.Popen([sys.executable, "-c", code, "canary-argument"])
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            seen, total = processes(Path("/proc"), pause=0.3)
            mine = {p.pid: p for p in seen}
            if any(p.parent == parent.pid and p.state == "Z" for p in seen) and mine[parent.pid].cpus > 0:
                break
        assert any(p.parent == parent.pid and p.state == "Z" for p in seen)
        assert mine[parent.pid].cpus > 0
        assert total >= len(seen) > 1
        found, _ = processes(Path("/proc"), find="canary-argument", pause=0.0)
        assert [p.pid for p in found] == [parent.pid]
    finally:
        parent.kill()
        parent.wait()


def test_this_host_is_read_and_another_root_says_what_is_not_seen(tmp_path: Path) -> None:
    here = read_health({})
    assert here.memory > here.available > 0
    assert here.total > 0
    assert any(mount.path == "/" for mount in here.mounts)
    (tmp_path / "proc").mkdir()
    (tmp_path / ".dockerenv").touch()
    boxed = read_health({}, root=str(tmp_path))
    assert boxed.inside == "a container"
    assert (boxed.updates, boxed.reboot, boxed.total) == (None, None, 0)
    assert "homelab-mcp host on the machine itself" in boxed.unseen[0].run


def test_docker_s_classes_and_a_container_s_use_are_summed_as_docker_does() -> None:
    raw = {
        "LayersSize": 1000,
        "Images": [
            {"Size": 700, "SharedSize": 200, "Containers": 1},
            {"Size": 500, "SharedSize": 200, "Containers": 0},
        ],
        "Containers": [{"SizeRw": 10, "State": "running"}, {"SizeRw": 5, "State": "exited"}, {"State": "created"}],
        "Volumes": [
            {"UsageData": {"Size": 50, "RefCount": 1}},
            {"UsageData": {"Size": 30, "RefCount": 0}},
            {"UsageData": None},
        ],
        "BuildCache": None,
    }
    assert [(d.name, d.count, d.size, d.unused) for d in disk_classes(raw)] == [
        ("images", 2, 1000, 300),
        ("containers", 3, 15, 5),
        ("volumes", 3, 80, 30),
        ("build cache", 0, 0, 0),
    ]
    assert use({"memory_stats": {}}) is None
    seen = use(
        {
            "memory_stats": {"usage": 100, "limit": 1 << 62, "stats": {"inactive_file": 40}},
            "networks": {"eth0": {"rx_bytes": 3, "tx_bytes": 4}, "eth1": {"rx_bytes": 1, "tx_bytes": 1}},
            "blkio_stats": {"io_service_bytes_recursive": [{"op": "Read", "value": 7}, {"op": "write", "value": 8}]},
        }
    )
    assert seen is not None
    assert (seen.usage.memory, seen.limit, seen.received, seen.sent, seen.read, seen.written) == (60, 0, 4, 5, 7, 8)
