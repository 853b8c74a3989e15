"""Services' data on disk, which no plan copies or reads: it changes place or owner, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Owned:
    """Who owns one file or folder; ``path`` is relative to the lab's root."""

    path: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Owners:
    """What a walk through a folder saw.

    Args:
        found: entries that another owner has than the one that was asked about, at most as many as were asked for.
        more: how many others there are.
        left: entries that are never given to anybody: links, and files with several names (hard links), which may
            be somebody else's as well.
    """

    found: tuple[Owned, ...]
    more: int = 0
    left: int = 0


class Data(Protocol):
    """Paths are relative to the lab's root and follow no symbolic link, as with ``Files``."""

    def identity(self, path: str) -> str | None:
        """What stays the same when a file or folder is renamed, and differs for any other; None where there is none."""
        ...

    def move(self, source: str, target: str) -> None:
        """Rename within the lab's file system, making the target's parents; on disk when it returns.

        Raises:
            InvalidInput: there is no source (``data_missing``), or something at the target (``data_in_the_way``).
            StorageFailed: another file system, or the disk's own refusal. Nothing has moved then.
        """
        ...

    def is_database(self, path: str) -> bool:
        """Whether it is a file of SQLite, or is called like one."""
        ...

    def logs(self, path: str) -> list[str]:
        """The endings (of ``DATABASE_LOGS``) of files beside a database of SQLite that are of it; none for another."""
        ...

    def movable(self, source: str, target: str) -> bool:
        """Whether both places are on one file system, so that ``move`` is one step."""
        ...

    def owner(self, path: str) -> tuple[int, int] | None:
        """(uid, gid); None where there is none."""
        ...

    def give(self, path: str, uid: int, gid: int) -> None:
        """Change the owner of one file or folder. Raises StorageFailed where this process may not."""
        ...

    def strangers(self, path: str, uid: int, gid: int, limit: int) -> Owners:
        """Entries at and below the path that do not belong to that owner; never past a link or a mount."""
        ...

    def trash(self, before: str) -> list[str]:
        """Names in the trash that are older than that moment, written as they begin (``20261128-160500``)."""
        ...

    def drop_trash(self, name: str) -> None:
        """Delete one of them for good, following no link. Raises StorageFailed."""
        ...


class PlacedData(Data, Protocol):
    """Each stack's data on the stack's own host, and a folder of the trash where its name says (``core.trash``).

    Beside what ``Data`` says, every call about another host raises EngineUnavailable where it cannot be reached, or
    where nobody knows whether it was done (``host_lost``); who asks again then hears how it stays. ``trash`` is this
    machine's. Of a host that nothing gives way to, there is nothing.
    """

    def host(self, path: str) -> str:
        """The host that it is on; ``local`` as well for one that nothing gives way to. Nothing is asked."""
        ...

    def others(self) -> Mapping[str, Data]:
        """Other hosts whose data can be asked for. Nothing is asked."""
        ...
