"""A stack's folder as Docker's archive of it (``GET`` and ``PUT /containers/ID/archive``): read, compared, packed.

What is sent is what two looks in a row saw alike. Nobody wrote between the two, so all files are of one moment: a
database and its write-ahead log too (SQLite, "Write-Ahead Logging": the ``-shm`` file is made anew from both).
"""

from __future__ import annotations

import hashlib
import io
import json
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
ROOT = "."
"""The folder itself among its entries."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a sync noted of itself.

    Args:
        digests: path -> digest of what was sent; None where it was cut off before it could note that.
        routes: routers of services elsewhere that Traefik's file had.
    """

    digests: Mapping[str, str] | None = None
    routes: tuple[str, ...] = ()

    def text(self) -> bytes:
        """The file ``MARK``."""
        if self.digests is None:
            return _MARK_TEXT.encode()
        noted = {"files": dict(sorted(self.digests.items())), "routes": list(self.routes)}
        return f"{_MARK_TEXT}{json.dumps(noted)}\n".encode()

    @staticmethod
    def read(data: bytes) -> Mark:
        """Of such a file; one that nobody can read notes nothing."""
        try:
            noted = json.loads(data.splitlines()[-1])
            return Mark(dict(noted["files"]), tuple(map(str, noted["routes"])))
        except (ValueError, LookupError, TypeError):
            return Mark()


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

    @property
    def digest(self) -> str:
        """That in a word."""
        return hashlib.sha256(repr(self.told).encode()).hexdigest()[:24]


def unpacked(chunks: Iterable[bytes], stack: str) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """What an archive of one folder holds by path below it (``ROOT``: itself), and what is left out: links, logs.

    Raises InvalidInput (``standby_too_large``).
    """
    found: dict[str, Entry] = {}
    left: list[str] = []
    size = 0
    with tarfile.open(fileobj=io.BufferedReader(_Chunks(chunks)), mode="r|") as archive:
        for member in archive:
            path = posixpath.normpath(member.name).partition("/")[2] or ROOT
            if path.endswith("-shm") and not member.isdir():
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


def packed(entries: Mapping[str, Entry], mark: Mark, folder: str) -> bytes:
    """An archive of these below a folder, whose own entry counts too.

    The mark comes first: what is cut off later must not look like somebody else's.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        # It has digests of secrets, so it is nobody's else to read.
        for path, entry in ((MARK, Entry(0o600, 0, 0, mark.text())), *sorted(entries.items())):
            member = tarfile.TarInfo(posixpath.normpath(f"{folder}/{path}"))
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
