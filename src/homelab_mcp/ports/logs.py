"""Log files that services write into the lab's folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class LogSource(Protocol):
    """One log: the last ``tail`` lines as (RFC 3339 time, stream, line), oldest first, as ``Engine.logs`` has them."""

    def __call__(
        self, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]: ...


class LogFiles(Protocol):
    """Paths are relative to the lab's root and follow no symbolic link, as with ``Files``."""

    def size(self, path: str) -> int | None:
        """Bytes of a regular file; None for anything else, and where there is none or nobody may look."""
        ...

    def lines(
        self, path: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """(RFC 3339 time, "file", line) of the last ``tail`` lines, oldest first, within a bounded part of its end.

        A line without a time of its own has that of the line before, the first ones the file's. Raises InvalidInput.
        """
        ...
