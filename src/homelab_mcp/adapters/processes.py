"""Processes as proc(5) shows them: two looks a moment apart tell who works and who is stuck."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import time
from dataclasses import dataclass
from pathlib import Path

from homelab_mcp.model.host import ProcessSeen

_CONTAINER = re.compile(r"(?:docker[-/]|/)([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class _Look:
    name: str
    state: str
    parent: int
    ticks: int
    started: int
    pages: int


def processes(proc: Path, *, find: str = "", pause: float = 1.0) -> tuple[list[ProcessSeen], int]:
    """All processes that may be seen (those with ``find`` in name or command line), and how many there are."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    first = _looks(proc)
    begun = time.monotonic()
    time.sleep(pause)
    second = _looks(proc)
    passed = max(time.monotonic() - begun, 0.001)
    uptime = _uptime(proc)
    found = []
    for pid, now in second.items():
        if find and not _named(proc, pid, now.name, find.lower()):
            continue
        before = first.get(pid)
        same = before is not None and before.started == now.started
        found.append(
            ProcessSeen(
                pid=pid,
                parent=now.parent,
                name=now.name,
                user=_user(proc, pid),
                state=now.state,
                seconds=max(uptime - now.started / ticks, 0.0),
                cpus=(now.ticks - before.ticks) / ticks / passed if same and before else 0.0,
                memory=now.pages * page,
                container=_container(proc, pid),
                waited=bool(same and before and before.state == now.state == "D"),
            )
        )
    return found, len(second)


def _looks(proc: Path) -> dict[int, _Look]:
    found = {}
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            # The name may hold anything, brackets too; the fields begin after the last one (proc(5), pid/stat).
            name, _, rest = text.partition("(")[2].rpartition(")")
            parts = rest.split()
            found[int(folder.name)] = _Look(
                name, parts[0], int(parts[1]), int(parts[11]) + int(parts[12]), int(parts[19]), int(parts[21])
            )
    return found


def _uptime(proc: Path) -> float:
    try:
        return float((proc / "uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0


def _named(proc: Path, pid: int, name: str, word: str) -> bool:
    if word in name.lower():
        return True
    try:
        with (proc / str(pid) / "cmdline").open("rb") as file:
            return word in file.read(8192).replace(b"\0", b" ").decode("utf-8", "replace").lower()
    except OSError:
        return False


def _user(proc: Path, pid: int) -> str:
    try:
        uid = (proc / str(pid)).stat().st_uid
    except OSError:
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _container(proc: Path, pid: int) -> str:
    try:
        found = _CONTAINER.search((proc / str(pid) / "cgroup").read_text())
    except OSError:
        return ""
    return found[1] if found else ""
