"""The lab's folder, its lock, and time."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol


class Clock(Protocol):
    """Time. ``now`` is Unix seconds, ``monotonic`` only for durations."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Files(Protocol):
    """The lab's folder. Paths are relative to its root; one that leads outside raises InvalidInput.

    Symbolic links inside the lab are refused (InvalidInput, code ``symlink_refused``).
    """

    @property
    def root(self) -> str: ...
    def read(self, path: str) -> str | None:
        """The file's text (UTF-8), None where there is none. Raises InvalidInput past 10 MiB or when not UTF-8."""
        ...

    def names(self, path: str) -> list[str] | None:
        """What is in a folder, folders with "/" behind, sorted; None where there is no such folder."""
        ...

    def mode(self, path: str) -> int | None: ...
    def write_atomic(self, path: str, text: str, mode: int) -> None:
        """Write whole or not at all: temp file in the same folder, fsync, rename, fsync of the folder.

        Raises StorageFailed.
        """
        ...

    def remove(self, path: str) -> None: ...
    def stack_folders(self) -> list[tuple[str, str]]:
        """(stack name, compose file's relative path) of every folder with a compose file, sorted by name."""
        ...

    def make_folder(self, path: str, mode: int = 0o755) -> bool:
        """Make the folder and its parents; False where it was there."""
        ...

    def remove_empty_folders(self, paths: Iterable[str]) -> None: ...
    def listing(self, folder: str = "") -> list[str]:
        """Relative paths of the regular files right in the folder ("": the root), sorted; none where it is missing."""
        ...

    def sweep_temporary(self) -> list[str]:
        """Remove temp files that a killed write left; their relative paths."""
        ...


class Lock(Protocol):
    """One apply at a time per lab; dies with its process."""

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Hold the lock. Raises LabLocked, naming who holds it."""
        ...

    def holder(self) -> str:
        """What the lock is held for right now; "" where nobody holds it."""
        ...

    def refuse_busy(self) -> None:
        """Return where ``hold`` would get it. Raises LabLocked, naming who holds it, and StorageFailed."""
        ...
