"""A stack's folder as Docker's archive of it (``GET`` and ``PUT /containers/ID/archive``): read, compared, packed.

What is sent is what two looks in a row saw alike. Nobody wrote between the two, so all files are of one moment: a
database and its write-ahead log too (SQLite, "Write-Ahead Logging": the ``-shm`` file is made anew from both).
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from homelab_mcp.model.errors import InvalidInput

MARK = ".homelab-standby"
"""In a folder that a sync made: nothing is ever put over somebody else's files."""

LARGEST = 64 * 1024 * 1024
_MARK_TEXT = (
    "A copy that homelab-mcp made of the lab's own machine, and puts anew at each sync. Its containers are made and\n"
    "not started. Where that machine is lost, `docker start` starts them: `docker ps -a` names them.\n"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder (``data`` None) with its permission bits and owner."""

    mode: int
    uid: int
    gid: int
    data: bytes | None

    @property
    def told(self) -> tuple[object, ...]:
        """What two looks are compared by."""
        return self.mode, self.uid, self.gid, None if self.data is None else hashlib.sha256(self.data).digest()


def unpacked(chunks: Iterable[bytes], stack: str) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """What an archive of one folder holds by path below it, and what is left out: links, sockets, logs.

    Raises InvalidInput (``standby_too_large``).
    """
    found: dict[str, Entry] = {}
    left: list[str] = []
    size = 0
    with tarfile.open(fileobj=io.BufferedReader(_Chunks(chunks)), mode="r|") as archive:
        for member in archive:
            path = posixpath.normpath(member.name).partition("/")[2]
            if not path or path.endswith("-shm"):
                continue
            if member.isdir():
                found[path] = Entry(member.mode, member.uid, member.gid, None)
            elif not member.isfile() or _is_log(path):
                left.append(path)
            else:
                size += member.size
                if size > LARGEST:
                    raise InvalidInput(
                        f"Stack {stack} holds more than {LARGEST // 2**20} MiB of files, {path} among them.",
                        hint="A standby takes the core's configuration; move services with data to another stack.",
                        code="standby_too_large",
                    )
                file = archive.extractfile(member)
                found[path] = Entry(member.mode, member.uid, member.gid, file.read() if file else b"")
    return found, tuple(left)


def packed(entries: Mapping[str, Entry]) -> bytes:
    """An archive of these, each below its folder, with the mark."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, entry in sorted({**entries, MARK: Entry(0o644, 0, 0, _MARK_TEXT.encode())}.items()):
            member = tarfile.TarInfo(path)
            member.mode, member.uid, member.gid = entry.mode, entry.uid, entry.gid
            member.type = tarfile.DIRTYPE if entry.data is None else tarfile.REGTYPE
            member.size = len(entry.data or b"")
            archive.addfile(member, io.BytesIO(entry.data or b""))
    return buffer.getvalue()


def differing(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> list[str]:
    """Paths that are not alike in both."""
    paths = sorted({*one, *other})
    return [p for p in paths if p not in one or p not in other or one[p].told != other[p].told]


def _is_log(path: str) -> bool:
    return path.endswith(".log") or "logs" in path.split("/")[:-1]


class _Chunks(io.RawIOBase):
    """An iterator of bytes as a file that is read once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # as io asks for it, typeshed says less
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
