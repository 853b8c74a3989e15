"""Limits of disk traffic: what is written, and what the plan says of an engine that discards it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import load_catalog
from homelab_mcp.adapters.hardware import LinuxHardware
from homelab_mcp.core.compose_meaning import read
from homelab_mcp.core.io_limits import CLASS_WEIGHTS, UNKNOWN, IoSupport, io_support
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.change_request import UpdateServiceRequest
from homelab_mcp.core.operations.request import AddServiceRequest
from homelab_mcp.core.operations.update_service import update_service
from homelab_mcp.core.operations.update_work import Machine
from homelab_mcp.core.resources import Host
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.operation_parts import SETTINGS, find

TEXT = "services:\n  dl:\n    image: x:1   # mine\n    restart: always\n"
# As `docker info` shows them on hosts of cgroup v2 without the controller (rootless among them), and of v1.
V2 = [
    "WARNING: No io.weight support",
    "WARNING: No io.weight (per device) support",
    "WARNING: No io.max (rbps) support",
    "WARNING: No io.max (wbps) support",
    "WARNING: No io.max (riops) support",
    "WARNING: No io.max (wiops) support",
    "WARNING: bridge-nf-call-iptables is disabled",
]
V1 = ["WARNING: No blkio throttle.write_bps_device support"]


def update(support: IoSupport = UNKNOWN, text: str = TEXT, **changes: Any) -> Draft:
    snapshot = Snapshot((StackFiles("apps", "apps/compose.yaml", text),), None)
    request = UpdateServiceRequest.model_validate({"stack": "apps", "service": "dl", **changes})
    machine = Machine(Host(2, 2**32, support))
    return update_service(snapshot, SETTINGS, request, find=find, machine=machine)


def block(draft: Draft) -> dict[str, Any]:
    found: dict[str, Any] = read(draft.edits[0].after or "")["services"]["dl"]
    return found


def test_rates_are_written_for_one_disk_and_leave_the_others() -> None:
    draft = update(limits={"io_device": "/dev/sda", "write_bps": "20M", "read_iops": 500})
    assert block(draft)["blkio_config"] == {
        "device_write_bps": [{"path": "/dev/sda", "rate": "20M"}],
        "device_read_iops": [{"path": "/dev/sda", "rate": 500}],
    }
    assert (draft.edits[0].after or "").startswith(TEXT)
    assert "io_device /dev/sda, write_bps 20M, read_iops 500" in draft.summary
    assert any("/dev/sda alone" in note for note in draft.notes)
    again = update(text=draft.edits[0].after or "", limits={"io_device": "/dev/sda", "write_bps": "5M"})
    assert block(again)["blkio_config"]["device_write_bps"] == [{"path": "/dev/sda", "rate": "5M"}]
    more = update(text=draft.edits[0].after or "", limits={"io_device": "/dev/sdb", "write_bps": "5M"})
    assert block(more)["blkio_config"]["device_write_bps"] == [
        {"path": "/dev/sda", "rate": "20M"},
        {"path": "/dev/sdb", "rate": "5M"},
    ]


@pytest.mark.parametrize(
    "limits",
    [
        {"write_bps": "20M"},
        {"io_device": "/dev/sda"},
        {"io_device": "/dev/sda1", "write_bps": "20M"},
        {"io_device": "/dev/nvme0n1p2", "read_iops": 5},
        {"io_device": "/dev/mmcblk0p1", "read_bps": "1M"},
    ],
)
def test_rates_without_a_disk_or_of_a_part_of_one_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as told:
        update(limits=limits)
    assert told.value.code == "io_device"


WHOLE = ["/dev/sda", "/dev/nvme0n1", "/dev/mmcblk0", "/dev/dm-3", "/dev/mapper/vg-data", "/dev/md0"]


@pytest.mark.parametrize("device", WHOLE)
def test_whole_disks_are_taken(device: str) -> None:
    assert update(limits={"io_device": device, "read_bps": "1M"}).edits


def test_what_the_engine_discards_is_said_with_its_own_word() -> None:
    support = io_support("2", "6.8.0", V2)
    assert support == IoSupport(
        weighs=False,
        why="No io.weight support",
        void={
            "read_bps": "No io.max (rbps) support",
            "write_bps": "No io.max (wbps) support",
            "read_iops": "No io.max (riops) support",
            "write_iops": "No io.max (wiops) support",
        },
    )
    draft = update(support, limits={"io_weight": 15, "io_device": "/dev/sda", "write_bps": "20M"})
    assert "io_weight counts for nothing here: the engine discards it (No io.weight support)." in draft.notes
    assert "write_bps counts for nothing here: the engine discards it (No io.max (wbps) support)." in draft.notes
    assert not [note for note in draft.notes if "alone" in note or "does not start" in note]
    one = io_support("1", "5.15.0", V1)
    partly = update(one, limits={"io_device": "/dev/sda", "write_bps": "1M", "read_bps": "1M"})
    discarded = "the engine discards it (No blkio throttle.write_bps_device support)."
    assert f"write_bps counts for nothing here: {discarded}" in partly.notes
    assert any("/dev/sda alone" in note for note in partly.notes)


def test_only_a_weight_that_was_seen_to_count_counts() -> None:
    assert io_support("2", "6.8.0", [], files=True).weighs is True
    assert io_support("2", "6.8.0", []).weighs is None
    assert io_support("1", "4.19.0", []).weighs is None
    assert io_support("1", "6.1.0-13-amd64", []).why == "cgroup v1 has no weight since Linux 5.0"
    assert io_support("", "", []) == UNKNOWN
    unsure = update(io_support("2", "6.8.0", []), limits={"io_weight": 15})
    assert any("does not start, and the apply is rolled back" in note for note in unsure.notes)
    sure = update(io_support("2", "6.8.0", [], files=True), limits={"io_weight": 15})
    assert not any("does not start" in note for note in sure.notes)


def test_a_class_brings_its_weight_where_it_counts_and_takes_another_s_away() -> None:
    weighs = IoSupport(weighs=True)
    draft = update(weighs, resources="downloader")
    assert block(draft)["blkio_config"] == {"weight": 15}
    assert "Class downloader steps back when the disk is busy: I/O weight 15." in draft.notes
    text = draft.edits[0].after or ""
    assert "blkio_config" not in block(update(weighs, text, resources="database"))
    assert "blkio_config" not in block(update(IoSupport(weighs=False, why="w"), text, resources="downloader", tag="2"))
    own = text.replace("weight: 15", "weight: 300")
    assert block(update(weighs, own, resources="database"))["blkio_config"] == {"weight": 300}
    left = update(UNKNOWN, resources="downloader")
    assert "blkio_config" not in block(left)
    assert any("I/O weight of class downloader is left out: nobody can tell" in note for note in left.notes)
    # Below the kernel's default by either file: runc gives BFQ (default 100) the weight itself, io.weight this.
    assert all(w < 100 and 1 + (w - 10) * 9999 // 990 < 100 for w in CLASS_WEIGHTS.values())


def test_a_file_for_weights_is_no_proof_that_they_count(tmp_path: Path) -> None:
    hardware = LinuxHardware(str(tmp_path))
    assert hardware.weighs_disks() is None
    groups, disk = tmp_path / "sys/fs/cgroup", tmp_path / "sys/block/sda/queue"
    (groups / "system.slice").mkdir(parents=True)
    disk.mkdir(parents=True)
    (disk / "scheduler").write_text("none [mq-deadline] bfq\n")
    assert hardware.weighs_disks() is None
    (groups / "system.slice/io.weight").write_text("default 100\n")
    assert hardware.weighs_disks() is False
    (groups / "io.cost.qos").write_text("8:0 enable=0 ctrl=auto rpct=0.00\n")
    assert hardware.weighs_disks() is False
    (groups / "io.cost.qos").write_text("8:0 enable=1 ctrl=auto rpct=0.00\n")
    assert hardware.weighs_disks() is True
    # runc writes to BFQ's file alone where that is.
    (groups / "system.slice/io.bfq.weight").write_text("default 100\n")
    assert hardware.weighs_disks() is False
    (disk / "scheduler").write_text("none mq-deadline [bfq]\n")
    assert hardware.weighs_disks() is True


def test_a_weight_that_is_kept_and_acts_on_nothing_is_said_to_and_no_class_brings_it() -> None:
    off = io_support("2", "6.8.0", [], files=False)
    draft = update(off, limits={"io_weight": 15})
    assert "It counts for nothing as long as neither BFQ nor io.cost is on for any disk." in draft.notes
    assert not any("does not start" in note for note in draft.notes)
    left = update(off, resources="downloader")
    assert "blkio_config" not in block(left)
    assert any(note.endswith("is left out: neither BFQ nor io.cost is on for any disk.") for note in left.notes)


SWARMED = f"x-homelab: {{engine: swarm}}\n{TEXT}"


@pytest.mark.parametrize("limits", [{"io_weight": 15}, {"io_device": "/dev/sda", "write_bps": "20M"}])
def test_swarm_ignores_limits_of_disk_traffic_so_they_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as told:
        update(IoSupport(weighs=True), SWARMED, limits=limits)
    assert told.value.code == "swarm_ignores"


def test_no_class_brings_a_weight_into_a_stack_that_swarm_runs() -> None:
    draft = update(IoSupport(weighs=True), SWARMED, resources="downloader")
    assert "blkio_config" not in block(draft)
    assert "The I/O weight of class downloader is left out: Swarm ignores blkio_config." in draft.notes
    assert update(text=SWARMED, limits={"memory": "64m"}).edits


def test_a_service_that_is_added_has_its_class_s_weight_where_it_counts() -> None:
    def added(host: Host | None) -> dict[str, Any]:
        draft = add_service(
            Snapshot((), None),
            SETTINGS,
            AddServiceRequest.model_validate({"service": "qbittorrent", "options": {"vpn": False}}),
            find=load_catalog().get,
            secrets=lambda *_: "s",
            argon2=lambda _: "h",
            root="/lab",
            read=lambda _: None,
            host=host,
        )
        found: dict[str, Any] = read(draft.edits[0].after or "")["services"]["qbittorrent"]
        return found

    assert added(Host(4, 2**33, IoSupport(weighs=True)))["blkio_config"] == {"weight": 15}
    assert "blkio_config" not in added(Host(4, 2**33))
    assert "blkio_config" not in added(None)
