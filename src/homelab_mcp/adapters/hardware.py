"""This machine's graphics processors and disks, as Linux shows them in ``/proc``, ``/sys`` and ``/dev``."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

from homelab_mcp.core.gpu import Gpus, RenderNode
from homelab_mcp.ports.hardware import Place

# PCI vendor ids, as in /sys/class/drm/*/device/vendor.
_MAKERS = {"0x8086": "intel", "0x1002": "amd", "0x10de": "nvidia"}
_TOOLKIT = ("usr/bin/nvidia-container-runtime", "usr/bin/nvidia-ctk")
_ESCAPED = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


_UP = 1
_DOCKER_DNS = "0B00007F"
_LOOPBACK = ("7F", "00000000000000000000000001000000")


def listeners(folder: Path) -> tuple[frozenset[int], frozenset[int]]:
    """TCP ports that are listened on, and those of them on loopback alone, by ``tcp`` and ``tcp6`` of that folder.

    Docker's own name server (127.0.0.11) is left out. Raises OSError where the folder cannot be read.
    """
    wide: set[int] = set()
    local: set[int] = set()
    read = 0
    for name in ("tcp", "tcp6"):
        try:
            lines = (folder / name).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        read += 1
        for line in lines:
            fields = line.split()
            address, _, port = fields[1].rpartition(":")
            if fields[3] != "0A" or address == _DOCKER_DNS:
                continue
            near = (len(address) == 8 and address.endswith(_LOOPBACK[0])) or address == _LOOPBACK[1]
            (local if near else wide).add(int(port, 16))
    if not read:
        raise FileNotFoundError(folder)
    return frozenset(wide | local), frozenset(local - wide)


def route_table(folder: Path) -> Iterator[tuple[IPv4Network, str, bool]]:
    """(network, interface, whether by a gateway) of the IPv4 routes that are up (proc(5): little ends first).

    Raises OSError where the table cannot be read.
    """
    for line in (folder / "route").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 8 and int(fields[3], 16) & _UP:
            network, mask = (int.from_bytes(bytes.fromhex(fields[n]), "little") for n in (1, 7))
            yield IPv4Network((network, mask.bit_count()), strict=False), fields[0], int(fields[2], 16) != 0


def _texts(files: Iterable[Path]) -> Iterator[str]:
    """What those of the files hold that can be read."""
    for file in files:
        with contextlib.suppress(OSError):
            yield file.read_text()


class LinuxHardware:
    """Fulfils ``ports.Hardware``.

    Args:
        root: where ``/proc``, ``/sys`` and ``/dev`` are; another folder in tests, as test machines have no such device.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = Path(root)

    def gpus(self) -> Gpus:
        """Render nodes by their maker and group; NVIDIA by its driver's own file."""
        nodes = []
        for node in sorted(self._root.glob("dev/dri/renderD*")):
            try:
                gid = node.stat().st_gid
                vendor = (self._root / "sys/class/drm" / node.name / "device/vendor").read_text().strip()
            except OSError:
                continue
            nodes.append(RenderNode(f"/dev/dri/{node.name}", _MAKERS.get(vendor, "other"), gid))
        nvidia = (self._root / "proc/driver/nvidia/version").exists()
        return Gpus(nvidia, any((self._root / path).exists() for path in _TOOLKIT), tuple(nodes))

    def weighs_disks(self) -> bool | None:
        """By the control groups below the topmost one, which has no such file itself (cgroup v2), and what acts on it.

        runc writes BFQ's where it is there, and ``io.weight`` (of io.cost) only where it is not. The first counts on
        disks whose scheduler is BFQ, the second once ``io.cost.qos`` has it enabled; a kernel shows both files without
        that (Linux, admin-guide/cgroup-v2 and block/bfq-iosched).
        """
        groups = self._root / "sys/fs/cgroup"
        if next(groups.glob("*/io.bfq.weight"), None):
            return any("[bfq]" in text for text in _texts(self._root.glob("sys/block/*/queue/scheduler")))
        if next(groups.glob("*/io.weight"), None):
            return any("enable=1" in text.split() for text in _texts([groups / "io.cost.qos"]))
        return None

    def place(self, path: str) -> Place:
        """Look at a path, with the mount that it is on and what is free there."""
        here = self._root / path.lstrip("/")
        try:
            seen = here.stat()
            disk = os.statvfs(here)
        except OSError:
            return Place(path)
        kind = "folder" if stat.S_ISDIR(seen.st_mode) else "file" if stat.S_ISREG(seen.st_mode) else "other"
        mount, filesystem = self._mount(os.path.realpath(here))
        return Place(
            path=path,
            kind=kind,
            mount=mount,
            filesystem=filesystem,
            free=disk.f_bavail * disk.f_frsize,
            total=disk.f_blocks * disk.f_frsize,
            uid=seen.st_uid,
            gid=seen.st_gid,
            mode=stat.S_IMODE(seen.st_mode),
        )

    def listens(self, port: int) -> bool:
        """By the kernel's table (proc(5), state 0A)."""
        listening, _ = listeners(self._root / "proc/net")
        return port in listening

    def routes(self) -> tuple[tuple[str, str], ...]:
        """By the kernel's main table; single addresses and the default route are left out."""
        try:
            table = list(route_table(self._root / "proc/net"))
        except OSError:
            return ()
        return tuple(dict.fromkeys((str(n), device) for n, device, _ in table if 0 < n.prefixlen < 32))

    def resolve(self, host: str) -> tuple[str, ...]:
        """``getaddrinfo``; a resolver that answers with an error knows none."""
        try:
            found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return ()
        return tuple(dict.fromkeys(str(row[4][0]) for row in found))

    def _mount(self, path: str) -> tuple[str, str]:
        """The longest mount point above the path, and its file system (proc(5), mounts)."""
        best = ("", "")
        try:
            lines = (self._root / "proc/self/mounts").read_text().splitlines()
        except OSError:
            return best
        for line in lines:
            parts = line.split(" ")
            if len(parts) < 3:
                continue
            point = parts[1]
            for escape, char in _ESCAPED.items():
                point = point.replace(escape, char)
            below = path == point or path.startswith(point.rstrip("/") + "/")
            if below and len(point) >= len(best[0]):
                best = (point, parts[2])
        return best
