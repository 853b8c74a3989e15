"""Limits of disk traffic: what a container may read and write, what weighs it, and what an engine can do with them.

Sources: Moby ``daemon/info_unix.go`` (what the engine warns of) and ``daemon/daemon_unix.go`` (what it discards with a
warning where the kernel cannot); runc ``libcontainer/cgroups/fs2/io.go`` and ``ConvertBlkIOToIOWeightValue`` (to which
file a weight goes); Linux ``block/blk-cgroup.c`` (limits are of whole disks: a partition is ENODEV) and
``Documentation/admin-guide/cgroup-v2.rst`` (default weight 100); Compose Specification, ``blkio_config``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from homelab_mcp.core.stack_host import SWARM, engine_of
from homelab_mcp.model.definition import ResourceClass
from homelab_mcp.model.errors import InvalidInput

if TYPE_CHECKING:
    from homelab_mcp.core.service_edit import ServiceEdit

RATES: Mapping[str, str] = {
    "read_bps": "device_read_bps",
    "write_bps": "device_write_bps",
    "read_iops": "device_read_iops",
    "write_iops": "device_write_iops",
}
"""A limit's name here -> the key of ``blkio_config``."""

CLASS_WEIGHTS: Mapping[ResourceClass, int] = {"downloader": 15, "monitoring": 15}
"""Classes that step back when the disk is busy; the others have the kernel's own weight.

A container without a weight has 100, of io.bfq.weight's 1000 as of io.weight's 10000, and runc makes 51 for the latter
of 15: less than the default in both. A weight of 20 and more would be above it in io.weight.
"""

_WARNINGS = {
    "read_bps": ("No io.max (rbps) support", "No blkio throttle.read_bps_device support"),
    "write_bps": ("No io.max (wbps) support", "No blkio throttle.write_bps_device support"),
    "read_iops": ("No io.max (riops) support", "No blkio throttle.read_iops_device support"),
    "write_iops": ("No io.max (wiops) support", "No blkio throttle.write_iops_device support"),
}
_PARTITION = re.compile(r"/dev/(?:(?:nvme\d+n\d+|mmcblk\d+|nbd\d+|loop\d+)p\d+|(?:sd|vd|xvd|hd)[a-z]+\d+)")


@dataclass(frozen=True, slots=True)
class IoSupport:
    """What an engine does with limits of disk traffic.

    Args:
        weighs: whether a weight counts; None: nobody can tell, or it is kept and counts for nothing as things are.
        why: why it does not.
        void: the rates (keys of :data:`RATES`) that it discards, and its word on each.
    """

    weighs: bool | None = None
    why: str = ""
    void: Mapping[str, str] = field(default_factory=dict)


UNKNOWN = IoSupport()
_OFF = "neither BFQ nor io.cost is on for any disk"
SWARM_IGNORES = IoSupport(weighs=False, why="Swarm ignores blkio_config")
"""What a stack that Swarm runs has of it (core/swarm/keys.py)."""


def io_support(cgroup: str, kernel: str, warnings: Sequence[str], *, files: bool | None = None) -> IoSupport:
    """What an engine can do, by what it says of itself.

    Args:
        cgroup: its ``CgroupVersion`` ("1", "2", "" for an engine older than 20.10).
        kernel: its ``KernelVersion``.
        warnings: its ``Warnings``, as ``docker info`` shows them.
        files: whether a weight was seen to count for some disk; False: the kernel only has the file for it; None: it
            was not looked, or nothing was seen.
    """
    said = " ".join(warnings)
    void = {name: word for name, words in _WARNINGS.items() for word in words if word in said}
    if cgroup == "2":
        if "No io.weight support" in said:
            return IoSupport(weighs=False, why="No io.weight support", void=void)
        return IoSupport(weighs=True if files else None, why=_OFF if files is False else "", void=void)
    # Version 1 lost the weight with the CFQ scheduler, and the engine does not warn of it.
    major = re.match(r"\d+", kernel)
    if cgroup and major and int(major[0]) >= 5:
        return IoSupport(weighs=False, why="cgroup v1 has no weight since Linux 5.0", void=void)
    return IoSupport(void=void)


def check_io(device: str | None, rates: Mapping[str, Any]) -> None:
    """Refuse rates without their disk, or of a part of one. Raises InvalidInput (``io_device``)."""
    if device and _PARTITION.fullmatch(device):
        raise InvalidInput(
            f"{device} is a partition, and the kernel limits whole disks.",
            hint="Name the disk, as `lsblk` shows it above the partition.",
            code="io_device",
        )
    if bool(rates) != bool(device):
        missing = "the rates are of no disk" if rates else f"there is no rate for {device}"
        raise InvalidInput(
            f"{missing[0].upper()}{missing[1:]}.",
            hint="Give io_device (`lsblk` lists disks) together with read_bps, write_bps, read_iops or write_iops.",
            code="io_device",
        )


def refuse_for_swarm(compose_text: str, stack: str) -> None:
    """Refuse limits of disk traffic in a stack that Swarm runs. Raises InvalidInput (``swarm_ignores``)."""
    if engine_of(compose_text) == SWARM:
        raise InvalidInput(
            f"Swarm runs stack {stack}, and it ignores limits of disk traffic (blkio_config).",
            hint="Leave them out, or run the service in a stack of Compose's.",
            code="swarm_ignores",
        )


def set_io(edit: ServiceEdit, weight: int | None, device: str | None, rates: Mapping[str, Any]) -> None:
    """Write the limits into the service; other disks' rates stay. Raises EditRefused."""
    if weight:
        edit.set("blkio_config.weight", weight)
    for name, rate in rates.items():
        path = ("blkio_config", RATES[name])
        there = edit.items(path)
        at = next((n for n, item in enumerate(there) if isinstance(item, Mapping) and item.get("path") == device), None)
        if at is None:
            edit.add_item(path, {"path": device, "rate": rate})
        else:
            edit.set((*path, at, "rate"), rate)


def told(support: IoSupport, weight: int | None, device: str | None, rates: Mapping[str, Any]) -> Iterator[str]:
    """What the engine makes of the limits, in sentences for the plan."""
    if weight and support.weighs is False:
        yield f"io_weight counts for nothing here: the engine discards it ({support.why})."
    elif weight:
        yield (
            "An I/O weight counts against those of other containers on a busy disk, and who has none has as little as "
            "20 (io.weight) or 100 (BFQ)."
        )
        if support.why:
            yield f"It counts for nothing as long as {support.why}."
        elif not support.weighs:
            yield "On a kernel with neither of these the container does not start, and the apply is rolled back."
    lost = [name for name in rates if name in support.void]
    if lost:
        words = ", ".join(dict.fromkeys(support.void[name] for name in lost))
        yield f"{', '.join(lost)} counts for nothing here: the engine discards it ({words})."
    if set(rates) - set(lost):
        yield (
            f"The rates are of {device} alone, and of what reaches it: on cgroup v1 what a service writes through the "
            "kernel's cache is not counted."
        )


def weigh_services(services: Mapping[str, dict[str, Any]], kinds: Mapping[str, ResourceClass]) -> None:
    """Give services of a definition their class's I/O weight, in place; for an engine that is seen to weigh."""
    for name, kind in kinds.items():
        if name in services and kind in CLASS_WEIGHTS:
            services[name].setdefault("blkio_config", {"weight": CLASS_WEIGHTS[kind]})


def class_weight(edit: ServiceEdit, kind: ResourceClass, support: IoSupport) -> list[str]:
    """Give a service its class's I/O weight where it counts, and take another class's away; notes."""
    weight = CLASS_WEIGHTS.get(kind)
    if weight and support.weighs:
        edit.set("blkio_config.weight", weight)
        return [f"Class {kind} steps back when the disk is busy: I/O weight {weight}."]
    if edit.get("blkio_config.weight") in set(CLASS_WEIGHTS.values()):
        edit.remove("blkio_config.weight")
    if weight:
        why = support.why or "nobody can tell whether this engine weighs disk traffic"
        return [f"The I/O weight of class {kind} is left out: {why}."]
    return []
