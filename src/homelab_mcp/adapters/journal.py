"""The journal: append-only JSON lines, each with the hash of the one before, over one file or several."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.journal_files import (
    CURRENT,
    Head,
    count_lines,
    last_line,
    next_name,
    read_head,
    rotated,
    whole_lines,
    write_head,
)
from homelab_mcp.adapters.private import private_folder, sync_folder
from homelab_mcp.core.journal_marks import CONTINUED, CUT, carried_into, unsettled
from homelab_mcp.model.errors import JournalUnwritable
from homelab_mcp.model.lab import PRIVATE_FOLDER

MOST_BYTES = 5 * 1024 * 1024
MOST_LINES = 10_000
_START = "0" * 64
_TRIES = 10


class JsonlJournal:
    """Fulfils ``ports.Journal`` at ``.homelab/journal.jsonl``.

    A line is ``{"seq", "time", "event", "data", "prev", "hash"}``; ``hash`` is the SHA-256 of the line's canonical
    JSON without it, so that a changed, removed or reordered line shows. A full file becomes ``journal-0001.jsonl`` and
    so on, and the chain goes on in a new one. ``journal.head`` notes the last line, so that lines cut off the end show
    too.

    Args:
        root: the lab's folder.
        most_bytes: a file of that size is full.
        most_lines: a file of that many lines is full.
    """

    def __init__(self, root: str | Path, *, most_bytes: int = MOST_BYTES, most_lines: int = MOST_LINES) -> None:
        self._root = Path(root).resolve()
        self._folder = self._root / PRIVATE_FOLDER
        self._path = self._folder / CURRENT
        self._most_bytes = most_bytes
        self._most_lines = most_lines

    def append(self, event: str, data: Mapping[str, Any]) -> None:
        """Add one line, on disk when this returns. Raises JournalUnwritable; a line half written is taken back."""
        try:
            with self._locked():
                last = self._last()
                if self._is_full(last):
                    last = self._rotate(last)
                head = read_head(self._folder)
                if head is not None and (head.seq > last.seq or (head.seq == last.seq and head.hash != last.hash)):
                    last = self._add(CUT, {"lost": head.seq - last.seq, "hash": head.hash}, last)
                self._add(event, data, last)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JournalUnwritable(
                f"The journal takes no record: {error.__class__.__name__}.",
                hint="Free space on the lab's disk or repair .homelab/journal.jsonl; nothing is changed until then.",
            ) from error

    def entries(self, of: Collection[str] = ()) -> list[dict[str, Any]]:
        """Every whole line of every file, oldest first; one torn by a crash is left out.

        With ``of`` those of these events alone; other lines are not read, as an apply looks for a few in all that a lab
        ever did. Raises JournalUnwritable when a line that is read is damaged.
        """
        marks = [json.dumps({"event": event}).strip("{}").encode() for event in of]
        found = (entry for name, lines in self._read_all() for entry in _parsed(name, lines, marks))
        return [entry for entry in found if not of or entry.get("event") in of]

    def recent(self) -> list[dict[str, Any]]:
        """The entries of the last file, and of those before it since the first apply that did not end well.

        Raises JournalUnwritable when a line is damaged.
        """
        for _ in range(_TRIES):
            before = rotated(self._folder)
            lines = self._read(CURRENT)
            if rotated(self._folder) != before:
                continue
            name = CURRENT
            if not lines and before:
                # A crash came between the renaming of a full file and the first line of the next.
                name = before.pop()
                lines = self._read(name)
            found = _parsed(name, lines)
            begun = set(carried_into(found[0]).values()) if found else set()
            if not begun:
                return found
            oldest = next((n for n, file in enumerate(before) if file in begun), 0)
            older = before[oldest:]
            return [e for n in older for e in _parsed(n, self._read(n))] + found
        return self.entries()

    def verify(self) -> str:
        """Empty when every line's hash holds and none is missing, else the file and line that is wrong, and how."""
        prev, seq = _START, 0
        # The note first: lines that others write meanwhile may be ahead of it, never behind.
        head = read_head(self._folder)
        files = self._read_all()
        seen = head is None or head.seq == 0
        cut = ""
        for name, lines in files:
            for number, line in enumerate(lines, 1):
                wrong, entry = _check(line, prev, seq + 1)
                if wrong:
                    return f"{name} line {number} {wrong}"
                prev, seq = entry["hash"], entry["seq"]
                seen = seen or (head is not None and (head.seq, head.hash) == (seq, prev))
                if entry.get("event") == CUT and not cut:
                    cut = f"{name} line {number} tells that lines before it were cut off the journal's end"
        if not seen and head is not None:
            name, lines = files[-1] if files else (CURRENT, [])
            if head.seq > seq:
                return (
                    f"{name} line {len(lines)} is the last, and {head.seq - seq} more were written: they were cut off"
                )
            return f"line {head.seq} of the journal is not the one that was written (by journal.head)"
        return cut

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time; a file of its own, as the journal's is renamed."""
        private_folder(self._root)
        fd = os.open(self._folder / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _last(self) -> Head:
        """The last line there is, read from its end; ``first`` is 0 where the current file has none yet."""
        for name in (CURRENT, *rotated(self._folder)[-1:]):
            try:
                fd = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                _, line = last_line(fd)
                if not line:
                    continue
                entry = json.loads(line)
                seq, first = int(entry["seq"]), 0
                if name == CURRENT:
                    head = read_head(self._folder)
                    known = head is not None and head.first > 0 and head.seq == seq
                    first = head.first if head is not None and known else seq - count_lines(fd) + 1
                return Head(seq, str(entry["hash"]), first)
            finally:
                os.close(fd)
        return Head(0, _START, 0)

    def _is_full(self, last: Head) -> bool:
        if last.first == 0:
            return False
        return last.seq - last.first + 1 >= self._most_lines or self._path.stat().st_size >= self._most_bytes

    def _rotate(self, last: Head) -> Head:
        """Set the full file aside. A crash before the next line is healed by it, as it finds no current file."""
        name = next_name(self._folder)
        self._drop_torn_line()
        self._path.rename(self._folder / name)
        sync_folder(self._folder)
        return Head(last.seq, last.hash, 0)

    def _drop_torn_line(self) -> None:
        fd = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            size, _ = last_line(fd)
            os.ftruncate(fd, size)
            os.fsync(fd)
        finally:
            os.close(fd)

    def _add(self, event: str, data: Mapping[str, Any], last: Head) -> Head:
        new = not self._path.exists()
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if last.first == 0 and last.seq > 0 and event != CONTINUED:
                last = self._write(fd, CONTINUED, self._link(), last)
            last = self._write(fd, event, data, last)
        finally:
            os.close(fd)
        if new:
            sync_folder(self._folder)
        return last

    def _link(self) -> dict[str, Any]:
        """What the first line of a new file says of the one before it."""
        name = rotated(self._folder)[-1]
        entries = []
        for line in self._read(name):
            # A damaged line is for ``verify`` to tell, and keeps nobody from writing the next.
            with contextlib.suppress(ValueError):
                entries.append(json.loads(line))
        carried = carried_into(entries[0]) if entries else {}
        return {"after": name, "unsettled": unsettled(entries, name, carried)}

    def _write(self, fd: int, event: str, data: Mapping[str, Any], last: Head) -> Head:
        size, _ = last_line(fd)
        entry = {
            "seq": last.seq + 1,
            "time": round(time.time(), 3),
            "event": event,
            "data": dict(data),
            "prev": last.hash,
        }
        mark = _hash(entry)
        line = json.dumps({**entry, "hash": mark}, ensure_ascii=True, sort_keys=True).encode() + b"\n"
        try:
            os.ftruncate(fd, size)
            written = 0
            while written < len(line):
                written += os.pwrite(fd, line[written:], size + written)
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise
        head = Head(last.seq + 1, mark, last.first or last.seq + 1)
        write_head(self._folder, head)
        return head

    def _read_all(self) -> list[tuple[str, list[bytes]]]:
        for _ in range(_TRIES):
            names = rotated(self._folder)
            found = [(name, self._read(name)) for name in (*names, CURRENT)]
            # A rotation between the two looks would have hidden a file's lines.
            if rotated(self._folder) == names:
                return [(name, lines) for name, lines in found if lines]
        raise JournalUnwritable("The journal is written too fast to be read.", hint="Try again.")

    def _read(self, name: str) -> list[bytes]:
        try:
            return whole_lines(self._folder / name)
        except OSError as error:
            raise JournalUnwritable(
                f"The journal is not readable: {error.strerror or type(error).__name__}.",
                hint=f"Look at .homelab/{name}; nothing is changed until it can be read.",
            ) from error


def _parsed(name: str, lines: list[bytes], marks: Sequence[bytes] = ()) -> list[dict[str, Any]]:
    """The lines as entries; with ``marks`` those alone that hold one of them."""
    found = []
    for number, line in enumerate(lines, 1):
        if marks and not any(mark in line for mark in marks):
            continue
        try:
            found.append(json.loads(line))
        except ValueError:
            raise JournalUnwritable(
                f"{name} line {number} is not readable.", hint="Run 'homelab-mcp journal verify'."
            ) from None
    return found


def _check(line: bytes, prev: str, seq: int) -> tuple[str, dict[str, Any]]:
    try:
        entry = json.loads(line)
        bare = {k: v for k, v in entry.items() if k != "hash"}
        claimed = entry["hash"]
    except (ValueError, KeyError, AttributeError, TypeError):
        return "is not a journal entry", {}
    if bare.get("prev") != prev:
        return "does not follow the line before it", {}
    if bare.get("seq") != seq:
        return f"has sequence number {bare.get('seq')}", {}
    if _hash(bare) != claimed:
        return "was changed after it was written", {}
    return "", entry


def _hash(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, ensure_ascii=True, sort_keys=True).encode()).hexdigest()
