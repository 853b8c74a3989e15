"""Services' data on another host, moved by BusyBox in the container there that makes its backups."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from homelab_mcp.adapters.data_there_sh import (
    DROP_SH,
    GIVE_SH,
    LOGS_SH,
    LOOK_SH,
    MOVABLE_SH,
    MOVE_SH,
    STRANGERS_SH,
    TRASH_SH,
)
from homelab_mcp.adapters.data_there_told import broken, not_started, refused_there
from homelab_mcp.adapters.lab_paths import parts_of
from homelab_mcp.adapters.process import Finished, read
from homelab_mcp.core.trash import host_of_trash, thrown
from homelab_mcp.model.errors import EngineUnavailable, InvalidInput, StorageFailed
from homelab_mcp.model.lab import DATABASE_ENDINGS, DATABASE_LOGS, TRASH
from homelab_mcp.ports.data import Owned, Owners

AT = "/place"
"""Where the container has the lab's folder of its host, and may write to it."""
LOOK_SECONDS = 30.0
MOVE_SECONDS = 60.0
LONG_SECONDS = 600.0
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Way:
    """How to run something there.

    Args:
        argv: what the program and its arguments are put behind (``docker exec ID``).
        environment: of that command, with what reaches the host's engine; None hands down this process's own.
    """

    argv: Sequence[str]
    environment: Mapping[str, str] | None = None


class FindWay(Protocol):
    """``DataThere``'s way; see there."""

    def __call__(self, *, fresh: bool) -> Way:
        """Found anew where ``fresh``. Raises EngineUnavailable."""
        ...


class DataThere:
    """Fulfils ``ports.Data`` for one host, by one run of a shell there for each call; nothing is asked before.

    A path is walked as in ``LabFiles``. Beside what the port says every call raises EngineUnavailable where the host or
    its container cannot be reached (``host_silent``, ``backup_not_running``), or where the answer did not come to its
    end (``host_lost``): then nobody knows what was done, and who asks again hears how it stays.

    Args:
        host: its name.
        way: tells how to run something in its container, found anew where ``fresh``; raises EngineUnavailable.
        at: where that has the lab's folder.
    """

    def __init__(self, host: str, way: FindWay, *, at: str = AT) -> None:
        self._host = host
        self._way = way
        self._at = at
        self._stamp = 0

    def identity(self, path: str) -> str | None:
        """Device and inode of the file or folder, as that host numbers them."""
        (found,) = self._look(path)
        return found[0] if found else None

    def move(self, source: str, target: str) -> None:
        """As the port says; what is looked at before and what is done is one run."""
        _ = parts_of(source), parts_of(target)
        self._run(MOVE_SH, [source, target], MOVE_SECONDS, source, target)

    def is_database(self, path: str) -> bool:
        """As the port says."""
        return self._logs(path, ()) is not None

    def logs(self, path: str) -> list[str]:
        """As the port says."""
        return self._logs(path, DATABASE_LOGS) or []

    def movable(self, source: str, target: str) -> bool:
        """As ``LabData``; a folder that is mounted into another counts as a file system of its own."""
        _ = parts_of(source), parts_of(target)
        try:
            self._run(MOVABLE_SH, [source, target], LOOK_SECONDS, source, target)
        except (InvalidInput, StorageFailed) as error:
            if error.code in ("data_missing", "other_file_system"):
                return False
            raise
        return True

    def owner(self, path: str) -> tuple[int, int] | None:
        """(uid, gid) as that host's engine sees them."""
        (found,) = self._look(path)
        return (int(found[1]), int(found[2])) if found else None

    def give(self, path: str, uid: int, gid: int) -> None:
        """As ``LabData``."""
        parts_of(path)
        self._run(GIVE_SH, [path, str(uid), str(gid)], LOOK_SECONDS, path)

    def strangers(self, path: str, uid: int, gid: int, limit: int) -> Owners:
        """As ``LabData``, though names below the path are not of one moment."""
        parts_of(path)
        device, *rest = self._run(STRANGERS_SH, [path, str(uid), str(gid)], LONG_SECONDS, path) or [b""]
        found, left = list[Owned](), 0
        for name, seen in _batches(rest):
            here, *numbers = seen
            if here != device:
                continue
            entry_uid, entry_gid, links, kind = (
                int(n, base) for n, base in zip(numbers, (10, 10, 10, 16), strict=True)
            )
            # "./" and the last part of the path, then what is below.
            below = os.fsdecode(name)[2 + len(path.rpartition("/")[2]) :]
            if not stat.S_ISDIR(kind) and (stat.S_ISLNK(kind) or links != 1):
                left += 1
            elif (entry_uid, entry_gid) != (uid, gid):
                found.append(Owned(f"{path}{below}", entry_uid, entry_gid))
        found.sort(key=lambda one: one.path.split("/"))
        return Owners(tuple(found[:limit]), max(len(found) - limit, 0), left)

    def trash(self, before: str) -> list[str]:
        """Of the folders there that this lab threw away: their names end with ``@`` and the host's."""
        names = [os.fsdecode(n) for n in self._run(TRASH_SH, [TRASH], LOOK_SECONDS, TRASH)]
        return [n for n in sorted(names) if host_of_trash(n) == self._host and "" < thrown(n) < before]

    def drop_trash(self, name: str) -> None:
        """As ``LabData``, and not where something is mounted in it."""
        path = f"{TRASH}/{name}"
        parts_of(path)
        if thrown(name):
            self._run(DROP_SH, [path], LONG_SECONDS, path)

    def _look(self, *paths: str) -> list[list[str]]:
        for path in paths:
            parts_of(path)
        (said,) = self._run(LOOK_SH, paths, LOOK_SECONDS, paths[0])
        return [one.split() for one in said.decode().split(";")[:-1]]

    def _logs(self, path: str, endings: Sequence[str]) -> list[str] | None:
        parts_of(path)
        named = "yes" if path.endswith(DATABASE_ENDINGS) else "no"
        (said,) = self._run(LOGS_SH, [path, named, *endings], LOOK_SECONDS, path)
        is_one, *found = said.decode().split()
        return found if is_one == "yes" else None

    def _run(self, text: str, given: Sequence[str], seconds: float, *paths: str) -> list[bytes]:
        """The values of the answer. ``paths`` are those that an error is about: the source, and perhaps the target."""
        if odd := next((one for one in given if not _utf8(one)), None):
            # What carries the words to the other host would put another sign in its place.
            raise InvalidInput(
                f"{odd!r} is no text in UTF-8, and cannot be named on host {self._host}.",
                code="path_refused",
                hint="Rename it there by hand.",
            )
        for _ in range(_TRIES):
            self._stamp = max(self._stamp + 1, time.time_ns() // 1000)
            kind, *answer = self._ask(text, [self._at, str(self._stamp), *given], seconds)
            if kind == b"ok":
                return answer
            word, said = (os.fsdecode(field) for field in (*answer, b"", b"")[:2])
            if word != "late":
                raise refused_there(self._host, word, said, paths)
            # Somebody asked between the sending of this run and its begin: it goes once more.
            self._stamp = int(said) if said.isdigit() else self._stamp
        raise broken(self._host, Finished(0, "", timed_out=True))

    def _ask(self, text: str, words: Sequence[str], seconds: float) -> list[bytes]:
        """The fields of an answer that came to its end."""
        done, fields = self._send(text, words, seconds, fresh=False)
        if not fields and not_started(done):
            # It is another container by now, or was found out of date.
            done, fields = self._send(text, words, seconds, fresh=True)
        if not fields:
            raise broken(self._host, done)
        return fields

    def _send(self, text: str, words: Sequence[str], seconds: float, *, fresh: bool) -> tuple[Finished, list[bytes]]:
        way = self._way(fresh=fresh)
        argv = [*way.argv, "sh", "-c", text, "sh", *words]
        try:
            done, out = read(argv, env=way.environment, timeout=seconds)
        except FileNotFoundError:
            raise EngineUnavailable("There is no docker command here.", hint="Install Docker's client.") from None
        *fields, rest = out.split(b"\0")
        return done, fields[:-1] if not rest and fields[-1:] == [b"end"] else []


def _batches(fields: Sequence[bytes]) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
    """Each name and what was seen of it: device, uid, gid, links, mode."""
    at = 0
    while at < len(fields):
        count, seen = int(fields[at]), fields[at + 1].split(b"\n")
        names = fields[at + 2 : at + 2 + count]
        at += 2 + count
        yield from ((n, tuple(one.split())) for n, one in zip(names, seen, strict=True) if one)


def _utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
