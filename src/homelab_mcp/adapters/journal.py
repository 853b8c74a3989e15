"""The journal: append-only JSON lines, each with the hash of the one before."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.private import private_folder, sync_folder
from homelab_mcp.model.errors import JournalUnwritable
from homelab_mcp.model.lab import PRIVATE_FOLDER

_START = "0" * 64
_TAIL = 1 << 16


class JsonlJournal:
    """Fulfils ``ports.Journal`` at ``.homelab/journal.jsonl``.

    A line is ``{"seq", "time", "event", "data", "prev", "hash"}``; ``hash`` is the SHA-256 of the line's canonical
    JSON without it, so that a changed, removed or reordered line shows. Lines cut off the end do not show.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).resolve()
        self._path = self._root / PRIVATE_FOLDER / "journal.jsonl"

    def append(self, event: str, data: Mapping[str, Any]) -> None:
        """Add one line, on disk when this returns. Raises JournalUnwritable; a line half written is taken back."""
        try:
            with self._open() as fd:
                self._append(fd, event, data)
        except (OSError, ValueError) as error:
            raise JournalUnwritable(
                f"The journal takes no record: {error.__class__.__name__}.",
                hint="Free space on the lab's disk or repair .homelab/journal.jsonl; nothing is changed until then.",
            ) from error

    def entries(self) -> list[dict[str, Any]]:
        """Every whole line, oldest first; a line torn by a crash is left out. Raises JournalUnwritable when damaged."""
        found = []
        for number, line in enumerate(self._lines(), 1):
            try:
                found.append(json.loads(line))
            except ValueError:
                raise JournalUnwritable(
                    f"Line {number} of the journal is not readable.", hint="Run 'homelab-mcp journal verify'."
                ) from None
        return found

    def verify(self) -> str:
        """Empty when every line's hash holds, else the first line that is wrong, and how."""
        prev = _START
        for number, line in enumerate(self._lines(), 1):
            try:
                entry = json.loads(line)
                claimed = entry.pop("hash")
            except (ValueError, KeyError, AttributeError, TypeError):
                return f"line {number} is not a journal entry"
            if entry.get("prev") != prev:
                return f"line {number} does not follow the line before it"
            if entry.get("seq") != number:
                return f"line {number} has sequence number {entry.get('seq')}"
            if _hash(entry) != claimed:
                return f"line {number} was changed after it was written"
            prev = claimed
        return ""

    @contextlib.contextmanager
    def _open(self) -> Iterator[int]:
        private_folder(self._root)
        new = not self._path.exists()
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
            if new:
                sync_folder(self._path.parent)
        finally:
            os.close(fd)

    def _append(self, fd: int, event: str, data: Mapping[str, Any]) -> None:
        size, last = _last_line(fd)
        previous: dict[str, Any] = json.loads(last) if last else {"seq": 0, "hash": _START}
        entry = {
            "seq": previous["seq"] + 1,
            "time": round(time.time(), 3),
            "event": event,
            "data": dict(data),
            "prev": previous["hash"],
        }
        line = json.dumps({**entry, "hash": _hash(entry)}, ensure_ascii=True, sort_keys=True).encode() + b"\n"
        try:
            os.ftruncate(fd, size)
            written = 0
            while written < len(line):
                written += os.pwrite(fd, line[written:], size + written)
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise

    def _lines(self) -> list[bytes]:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JournalUnwritable(
                f"The journal is not readable: {error.strerror or type(error).__name__}.",
                hint="Look at .homelab/journal.jsonl; nothing is changed until it can be read.",
            ) from error
        lines = raw.split(b"\n")
        return lines[:-1]


def _hash(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, ensure_ascii=True, sort_keys=True).encode()).hexdigest()


def _last_line(fd: int) -> tuple[int, bytes]:
    """Where the last whole line ends (a torn one after it was never acknowledged), and that line."""
    size = os.fstat(fd).st_size
    window = _TAIL
    while True:
        start = max(0, size - window)
        tail = os.pread(fd, size - start, start)
        end = tail.rfind(b"\n")
        begin = tail.rfind(b"\n", 0, end) if end >= 0 else -1
        if begin >= 0 or start == 0:
            return (start + end + 1, tail[begin + 1 : end]) if end >= 0 else (0, b"")
        window *= 4
