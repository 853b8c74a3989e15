"""How this machine is: load, memory, file systems, processes, clock, updates. Looks only, with an end to each look."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from homelab_mcp.adapters.processes import processes
from homelab_mcp.model.host import HostHealth, MountUse, Unseen

_MOUNT_SECONDS = 2.0
_APT_SECONDS = 20.0
# Kernel tables, RAM and snaps, which have no room to run out of.
# fmt: off
_PSEUDO = frozenset((
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
    "fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs",
    "squashfs", "sysfs", "tmpfs", "tracefs", "fuse.lxcfs", "fuse.portal", "fuse.gvfsd-fuse",
))
# fmt: on
_ESCAPED = re.compile(r"\\([0-7]{3})")
_UNSYNCED = 0x0040
_SECURITY = re.compile(r"^Inst .*(?:-security|Debian-Security)", re.M)


def read_health(resolved: Mapping[str, bool | None], *, find: str = "", root: str = "/") -> HostHealth:
    """All that can be seen below ``root`` (another folder in tests)."""
    base = Path(root)
    inside = _inside(base)
    memory = _numbers(base / "proc/meminfo")
    seen, total = processes(base / "proc", find=find)
    updates, security, lists_age, unseen = _updates(base, inside)
    return HostHealth(
        inside=inside,
        uptime=_first_float(base / "proc/uptime"),
        load=_load(base),
        cpus=os.cpu_count() or 0,
        memory=memory.get("MemTotal", 0),
        available=memory.get("MemAvailable", 0),
        swap=memory.get("SwapTotal", 0),
        swap_free=memory.get("SwapFree", 0),
        pressure=_pressure(base),
        mounts=tuple(_mounts(base)),
        processes=tuple(seen),
        total=total,
        clock_synced=_clock_synced(),
        resolved=resolved,
        reboot=None if inside else _reboot(base),
        updates=updates,
        security_updates=security,
        lists_age=lists_age,
        unseen=tuple([*_hidden(inside, total), *unseen]),
    )


def _inside(base: Path) -> str:
    if (base / ".dockerenv").exists() or (base / "run/.containerenv").exists():
        return "a container"
    return ""


def _hidden(inside: str, total: int) -> Iterator[Unseen]:
    if inside:
        yield Unseen(
            "the host's processes, disks and updates",
            f"homelab-mcp runs in {inside} and sees only what is in it ({total} processes)",
            "homelab-mcp host on the machine itself, or `top`, `df -h`, `ps -eo pid,stat,etime,cmd`",
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _numbers(path: Path) -> dict[str, int]:
    """proc(5) meminfo, which counts in KiB, in bytes."""
    found = {}
    for line in _text(path).splitlines():
        name, _, rest = line.partition(":")
        if rest.split()[:1] and rest.split()[0].isdigit():
            found[name] = int(rest.split()[0]) * 1024
    return found


def _first_float(path: Path) -> float:
    try:
        return float(_text(path).split()[0])
    except (ValueError, IndexError):
        return 0.0


def _load(base: Path) -> tuple[float, float, float]:
    try:
        one, five, fifteen = (float(n) for n in _text(base / "proc/loadavg").split()[:3])
    except ValueError:
        return 0.0, 0.0, 0.0
    return one, five, fifteen


def _pressure(base: Path) -> dict[str, float]:
    """Pressure stall information (kernel documentation, accounting/psi): "some avg10=0.00 avg60=0.00 ..."."""
    found = {}
    for name in ("cpu", "memory", "io"):
        if match := re.search(r"^some .*?avg60=([\d.]+)", _text(base / "proc/pressure" / name), re.M):
            found[name] = float(match[1]) / 100
    return found


def _mounts(base: Path) -> Iterable[MountUse]:
    """Real file systems, each once; the first place where it is mounted counts."""
    places: dict[str, tuple[str, str]] = {}
    for line in _text(base / "proc/self/mounts").splitlines():
        parts = line.split(" ")
        if len(parts) < 3 or (parts[2] in _PSEUDO and parts[1] != "/"):
            continue
        point = _ESCAPED.sub(lambda m: chr(int(m[1], 8)), parts[1])
        if not (base / point.lstrip("/")).is_file():
            places.setdefault(parts[0] if parts[0] != "overlay" else point, (point, parts[2]))
    found: dict[str, MountUse] = {}

    def look(point: str, kind: str) -> None:
        try:
            disk = os.statvfs(base / point.lstrip("/"))
        except OSError:
            return
        found[point] = MountUse(
            point, kind, disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize, disk.f_files, disk.f_favail
        )

    # Daemons: a file system of a server that is gone holds whoever asks, for good.
    threads = {place[0]: threading.Thread(target=look, args=place, daemon=True) for place in places.values()}
    for thread in threads.values():
        thread.start()
    end = time.monotonic() + _MOUNT_SECONDS
    for point, kind in places.values():
        threads[point].join(max(end - time.monotonic(), 0))
        if point in found:
            yield found[point]
        elif threads[point].is_alive():
            yield MountUse(point, kind, answered=False)


def _clock_synced() -> bool | None:
    """The kernel's own word (adjtimex(2), status STA_UNSYNC), which is the host's also in a container."""
    with contextlib.suppress(OSError, AttributeError):
        buffer = (ctypes.c_long * 64)()
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer)) >= 0:
            # struct timex: modes, offset, freq, maxerror, esterror, status; each in a long's room.
            return not int(buffer[5]) & _UNSYNCED
    return None


def _reboot(base: Path) -> str | None:
    """Debian's and Ubuntu's mark; None on a system that does not leave one."""
    for place in ("run", "var/run"):
        if (base / place / "reboot-required").exists():
            packages = sorted(set(_text(base / place / "reboot-required.pkgs").split()))[:5]
            return f"updated: {', '.join(packages)}" if packages else "an update asks for it"
    return "" if (base / "etc/debian_version").exists() else None


def _updates(base: Path, inside: str) -> tuple[int | None, int | None, float | None, list[Unseen]]:
    """What ``apt-get upgrade`` would do, simulated: it needs no rights and takes no lock."""
    if inside:
        return None, None, None, []
    apt = shutil.which("apt-get")
    if not apt:
        run = "your distribution's package manager, such as `dnf check-update` or `pacman -Qu`"
        return None, None, None, [Unseen("updates", "this system has no apt-get", run)]
    try:
        done = subprocess.run(
            [apt, "-s", "-o", "Debug::NoLocking=true", "dist-upgrade"],
            capture_output=True,
            text=True,
            timeout=_APT_SECONDS,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode != 0:
        return None, None, None, [Unseen("updates", "apt-get gave no answer", "apt list --upgradable")]
    age = None
    with contextlib.suppress(OSError):
        age = max(time.time() - (base / "var/lib/apt/lists").stat().st_mtime, 0.0)
    count = len(re.findall(r"^Inst ", done.stdout, re.M))
    return count, len(_SECURITY.findall(done.stdout)), age, []
