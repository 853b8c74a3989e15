"""The lab's lock: one apply at a time, given up by the kernel when its process dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from homelab_mcp.adapters.private import private_folder
from homelab_mcp.model.errors import LabLocked
from homelab_mcp.model.lab import PRIVATE_FOLDER

_held: dict[Path, float] = {}


def held_since(root: Path) -> float | None:
    """Unix time since when this process holds the lock of the lab at that (resolved) root; None when it does not."""
    return _held.get(root)


class LabLock:
    """Fulfils ``ports.Lock`` by ``flock`` on ``.homelab/lock``; the file tells who holds it."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).resolve()
        self._path = self._root / PRIVATE_FOLDER / "lock"

    @contextlib.contextmanager
    def hold(self, what: str) -> Iterator[None]:
        """Hold the lock for the block. Raises LabLocked at once when another holds it, in this process or not."""
        private_folder(self._root)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._locked(fd) from None
            now = time.time()
            owner = json.dumps({"pid": os.getpid(), "what": what[:200], "since": now}).encode()
            os.ftruncate(fd, 0)
            os.pwrite(fd, owner, 0)
            _held[self._root] = now
            try:
                yield
            finally:
                del _held[self._root]
                os.ftruncate(fd, 0)
        finally:
            os.close(fd)

    def _locked(self, fd: int) -> LabLocked:
        try:
            owner = json.loads(os.pread(fd, 4096, 0))
            who = f"{owner['what']} (process {owner['pid']})"
        except (ValueError, KeyError, TypeError):
            owner, who = {}, "another process"
        return LabLocked(
            f"The lab is locked by: {who}.",
            hint="Wait until it is done, then try again.",
            details={k: owner[k] for k in ("pid", "what", "since") if k in owner},
        )
