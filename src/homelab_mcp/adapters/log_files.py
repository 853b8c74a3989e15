"""Reads the ends of log files in the lab's folder, through no link and in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from homelab_mcp.adapters.docker_answers import LINE_LIMIT
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.core.log_lines import Ring
from homelab_mcp.core.log_times import stamp, time_of
from homelab_mcp.model.errors import InvalidInput

READ_BYTES = 32 * 1024 * 1024
"""What is read of a file at most, from its end."""


class LabLogFiles:
    """Fulfils ``ports.LogFiles``.

    Args:
        root: the lab's folder.
    """

    def __init__(self, root: str) -> None:
        self._files = LabFiles(root)

    def size(self, path: str) -> int | None:
        """Bytes of the file; None for no regular file in the lab."""
        try:
            with self._files.opened(path) as file:
                return None if file is None else os.fstat(file.fileno()).st_size
        except (InvalidInput, OSError):
            return None

    def lines(
        self, path: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """The last lines between both times, of at most :data:`READ_BYTES` of the file's end."""
        first = None if since is None else stamp(since)
        last = None if until is None else stamp(until)[:26] + "999Z"
        kept = Ring(tail)
        with self._files.opened(path) as file:
            if file is None:
                return
            when = ""
            written = stamp(os.fstat(file.fileno()).st_mtime)
            for text in _texts(file):
                own = time_of(text)
                # A clock set back must not make text order differ from the file's.
                when = max(own, when) if own else when
                shown = when or written
                if (first is None or shown >= first) and (last is None or shown <= last):
                    kept.append((shown, "file", text))
        yield from kept.lines()


def _texts(file: BinaryIO) -> Iterator[str]:
    size = os.fstat(file.fileno()).st_size
    file.seek(max(size - READ_BYTES, 0))
    left = min(size, READ_BYTES)
    if size > READ_BYTES:
        left -= len(file.readline(LINE_LIMIT))
    # Only what was there at the start: the file may grow faster than it is read.
    inside = False
    while left > 0 and (raw := file.readline(LINE_LIMIT)):
        left -= len(raw)
        begins, inside = not inside, not raw.endswith(b"\n")
        if begins:
            yield raw.decode("utf-8", "replace").rstrip("\r\n")
