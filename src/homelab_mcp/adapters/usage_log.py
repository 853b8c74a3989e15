"""The ring of usage samples: ``.homelab/usage.jsonl``, a line each, cut to its newer half when it is full."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from homelab_mcp.adapters.private import private_folder, write_private
from homelab_mcp.core.usage_series import Sample, parse_sample
from homelab_mcp.model.errors import storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER

NAME = "usage.jsonl"
MOST_BYTES = 2 * 1024 * 1024
"""Some ten days of 20 services, a sample every five minutes."""


class JsonlUsageLog:
    """Fulfils ``ports.UsageLog``.

    Args:
        root: the lab's folder.
        most: bytes of the file, at most.
    """

    def __init__(self, root: str, most: int = MOST_BYTES) -> None:
        self._root = Path(root)
        self._most = most

    def append(self, sample: Sample) -> None:
        """Add one; a reader never sees the file cut in the middle of a line."""
        try:
            folder = private_folder(self._root)
            guard = os.open(folder / "usage.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(guard, fcntl.LOCK_EX)
                self._append(folder / NAME, sample.as_line() + "\n")
            finally:
                os.close(guard)
        except OSError as error:
            raise storage_failed(error, f"{PRIVATE_FOLDER}/{NAME}") from error

    def _append(self, path: Path, line: str) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size + len(line) <= self._most:
                file.write(line.encode())
                return
            file.seek(size - min(self._most // 2, size))
            file.readline()
            kept = file.read(self._most // 2).decode("utf-8", "replace")
        write_private(path, kept + line)

    def samples(self, since: float = 0.0) -> list[Sample]:
        """Those from that moment on; lines that are none are passed over."""
        text = ""
        with contextlib.suppress(OSError):
            fd = os.open(self._root / PRIVATE_FOLDER / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                text = file.read(2 * self._most).decode("utf-8", "replace")
        found = (parse_sample(line) for line in text.splitlines())
        return sorted((s for s in found if s is not None and s.time >= since), key=lambda s: s.time)
