"""The lab's lock: one apply at a time, given up by the kernel when its process and that one's programs are gone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.private import private_folder
from homelab_mcp.model.errors import LabLocked, storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER

BRIEF = 1.0
"""Seconds that a lock is waited for when its owner lives: a look at it (``holder``) holds it for a moment."""

ORPHANS = 15.0
"""Seconds that a program (``docker compose up``) is given to end by itself after the apply that ran it was killed."""

_POLL = 0.05
_held: dict[Path, tuple[float, int]] = {}


def held_since(root: Path) -> float | None:
    """Unix time since when this process holds the lock of the lab at that (resolved) root; None when it does not."""
    return _held[root][0] if root in _held else None


def held_descriptors() -> tuple[int, ...]:
    """The descriptors of the locks that this process holds, for the programs it runs to inherit.

    The lock then lasts until they have ended as well, so that nobody puts a lab right while the ``docker compose up``
    of a killed apply is still at work on it.
    """
    return tuple(fd for _, fd in _held.values())


class LabLock:
    """Fulfils ``ports.Lock`` by ``flock`` on ``.homelab/lock``; the file tells who holds it."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).resolve()
        self._path = self._root / PRIVATE_FOLDER / "lock"

    @contextlib.contextmanager
    def hold(self, what: str) -> Iterator[None]:
        """Hold the lock for the block.

        Raises StorageFailed, and LabLocked when another holds it, in this process or not. Programs that a killed
        holder left behind are waited for, and ended when they take too long.
        """
        try:
            private_folder(self._root)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise storage_failed(error, "The lab's lock") from error
        try:
            self._take(fd)
            now = time.time()
            owner = {"pid": os.getpid(), "what": what[:200], "since": now, "space": _space()}
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(owner).encode(), 0)
            _held[self._root] = (now, fd)
            try:
                yield
            finally:
                del _held[self._root]
                os.ftruncate(fd, 0)
                # Closing alone would leave it with programs that inherited the descriptor.
                fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)

    def holder(self) -> str:
        """What the lock is held for; "" where nobody holds it."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return ""
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return str(_owner(fd).get("what") or "another process")
        finally:
            os.close(fd)
        return ""

    def refuse_busy(self) -> None:
        """Return where ``hold`` would get it, by the same patience; what a killed holder left behind is for ``hold``.

        Raises LabLocked when another holds it who lives, and StorageFailed.
        """
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            raise storage_failed(error, "The lab's lock") from error
        try:
            begun = time.monotonic()
            while not _locks(fd, fcntl.LOCK_SH):
                owner = _owner(fd)
                if _is_dead(owner):
                    return
                if time.monotonic() - begun >= BRIEF:
                    raise _locked(owner)
                time.sleep(_POLL)
        finally:
            os.close(fd)

    def _take(self, fd: int) -> None:
        begun = time.monotonic()
        ended = False
        while not _locks(fd):
            orphaned = _is_dead(_owner(fd))
            waited = time.monotonic() - begun
            if waited >= (ORPHANS + BRIEF if orphaned else BRIEF):
                raise _locked(_owner(fd))
            if orphaned and waited >= ORPHANS and not ended:
                ended = True
                for pid in _holding(self._path):
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(_POLL)


def _locks(fd: int, how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(fd: int) -> dict[str, Any]:
    try:
        owner = json.loads(os.pread(fd, 4096, 0))
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _space() -> str:
    """This process's PID namespace: in another one, the same number is another process."""
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - no path, the kernel's name of it
    return ""


def _is_dead(owner: dict[str, Any]) -> bool:
    pid, space = owner.get("pid"), owner.get("space")
    if not isinstance(pid, int) or not space or space != _space():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _holding(path: Path) -> list[int]:
    """Processes whose descriptor of that file holds its lock (proc(5), fdinfo); not those that wait for it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            for link in (entry / "fd").iterdir():
                if link.readlink() == path and "lock:" in (entry / "fdinfo" / link.name).read_text("ascii", "replace"):
                    found.append(int(entry.name))
                    break
    return found


def _locked(owner: dict[str, Any]) -> LabLocked:
    known = {"pid", "what"} <= owner.keys()
    who = f"{owner['what']} (process {owner['pid']})" if known else "another process"
    return LabLocked(
        f"The lab is locked by: {who}.",
        hint="Wait until it is done, then try again.",
        details={k: owner[k] for k in ("pid", "what", "since") if k in owner},
    )
