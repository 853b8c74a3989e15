"""The files that a journal is made of, and the note of its end that is kept beside them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

CURRENT = "journal.jsonl"
HEAD = "journal.head"
_ROTATED = re.compile(r"journal-(\d{4,9})\.jsonl")
_TAIL = 1 << 16
_HEAD_BYTES = 128


@dataclass(frozen=True, slots=True)
class Head:
    """The last line that was written: its number and hash; ``first`` is the number of its file's first line."""

    seq: int
    hash: str
    first: int


def rotated(folder: Path) -> list[str]:
    """The names of the files before the current one, oldest first."""
    if not folder.is_dir():
        return []
    found = [(int(match[1]), name) for name in os.listdir(folder) if (match := _ROTATED.fullmatch(name))]  # noqa: PTH208
    return [name for _, name in sorted(found)]


def next_name(folder: Path) -> str:
    """The name that the current file gets when it is full."""
    names = rotated(folder)
    last = _ROTATED.fullmatch(names[-1]) if names else None
    return f"journal-{int(last[1]) + 1 if last else 1:04d}.jsonl"


def read_head(folder: Path) -> Head | None:
    """The note; None where there is none, or it was half written."""
    try:
        text = (folder / HEAD).read_text("ascii")
        row, _, check = text.strip().rpartition(" ")
        seq, line_hash, first = json.loads(row)
        if int(check, 16) != zlib.crc32(row.encode()):
            return None
        return Head(int(seq), str(line_hash), int(first))
    except (OSError, ValueError, TypeError):
        return None


def write_head(folder: Path, head: Head) -> None:
    """Replace the note in place. It may stay behind the journal (crash, full disk), and is never ahead of it."""
    row = json.dumps([head.seq, head.hash, head.first])
    line = f"{row} {zlib.crc32(row.encode()):08x}".ljust(_HEAD_BYTES - 1) + "\n"
    with contextlib.suppress(OSError):
        fd = os.open(folder / HEAD, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, line.encode("ascii"), 0)
        finally:
            os.close(fd)


def last_line(fd: int) -> tuple[int, bytes]:
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


def count_lines(fd: int) -> int:
    """How many whole lines the file has."""
    count = start = 0
    while block := os.pread(fd, 1 << 20, start):
        count += block.count(b"\n")
        start += len(block)
    return count


def whole_lines(path: Path) -> list[bytes]:
    """The file's whole lines; none where there is no file. Lets OSError through."""
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
