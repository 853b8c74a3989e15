"""Moves services' data within the lab and changes its owners: one rename, and never past a link."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from homelab_mcp.adapters.data_errors import in_the_way, missing, mounted_inside, other_file_system
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.core.trash import thrown
from homelab_mcp.model.errors import StorageFailed, storage_failed
from homelab_mcp.model.lab import DATABASE_ENDINGS, DATABASE_LOGS, TRASH
from homelab_mcp.ports.data import Owned, Owners

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SQLITE = b"SQLite format 3\0"
_NOREPLACE = 1  # RENAME_NOREPLACE, renameat2(2)


class LabData(LabFiles):
    """Fulfils ``ports.Data``; a path is walked as in :class:`LabFiles`."""

    def identity(self, path: str) -> str | None:
        """Device and inode of the file or folder."""
        with self._parent(path) as (folder, name):
            found = self._lstat(name, folder, path)
            return None if found is None else f"{found.st_dev}:{found.st_ino}"

    def move(self, source: str, target: str) -> None:
        """As the port says; the folders of both places are flushed to disk."""
        with self._parent(source) as (old, name):
            if old is None or self._lstat(name, old, source) is None:
                raise missing(source)
            with self._parent(target, make=True) as (new, called):
                if new is None or self._lstat(called, new, target) is not None:
                    raise in_the_way(target)
                try:
                    _rename(old, name, new, called)
                    os.fsync(new)
                    os.fsync(old)
                except OSError as error:
                    raise _unmoved(error, source, target) from error

    def is_database(self, path: str) -> bool:
        """As the port says, by what the file begins with; by its name where that is encrypted, or may not be read."""
        with self._parent(path) as (folder, name):
            found = self._lstat(name, folder, path)
            if folder is None or found is None or not stat.S_ISREG(found.st_mode):
                return False
            return name.endswith(DATABASE_ENDINGS) or _beginning(name, folder) == _SQLITE

    def logs(self, path: str) -> list[str]:
        """As the port says."""
        if not self.is_database(path):
            return []
        with self._parent(path) as (folder, name):
            there = {end: self._lstat(f"{name}{end}", folder, f"{path}{end}") for end in DATABASE_LOGS}
            return [end for end, one in there.items() if one is not None and stat.S_ISREG(one.st_mode)]

    def movable(self, source: str, target: str) -> bool:
        """Whether the source and the nearest folder of the target that exists share a device."""
        with self._parent(source) as (folder, name):
            found = self._lstat(name, folder, source)
        parts = target.split("/")
        there = None
        for count in range(len(parts) - 1, 0, -1):
            path = "/".join(parts[:count])
            with self._parent(path) as (folder, name):
                there = self._lstat(name, folder, path)
            if there is not None:
                break
        root = there or Path(self.root).stat()
        return found is not None and found.st_dev == root.st_dev

    def owner(self, path: str) -> tuple[int, int] | None:
        """(uid, gid) of the file or folder itself."""
        with self._parent(path) as (folder, name):
            found = self._lstat(name, folder, path)
            return None if found is None else (found.st_uid, found.st_gid)

    def give(self, path: str, uid: int, gid: int) -> None:
        """Change one owner, of the entry that stands there and of nothing it may point to."""
        with self._parent(path) as (folder, name):
            found = self._lstat(name, folder, path)
            if folder is None or found is None or not _ours(found):
                return
            try:
                os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                raise storage_failed(error, path) from error

    def strangers(self, path: str, uid: int, gid: int, limit: int) -> Owners:
        """Walk by open folders on one device."""
        found: list[Owned] = []
        more = left = 0
        for here, seen in self._walk(path):
            if not _ours(seen):
                left += 1
            elif (seen.st_uid, seen.st_gid) == (uid, gid):
                continue
            elif len(found) < limit:
                found.append(Owned(here, seen.st_uid, seen.st_gid))
            else:
                more += 1
        return Owners(tuple(found), more, left)

    def trash(self, before: str) -> list[str]:
        """By their names alone, which begin with when they were thrown away."""
        names = self.names(TRASH) or []
        return [n.rstrip("/") for n in names if "" < thrown(n) < before]

    def drop_trash(self, name: str) -> None:
        """The whole folder, by open folders (``shutil.rmtree`` follows no link), unless something is mounted in it."""
        with self._parent(f"{TRASH}/{name}") as (folder, last):
            if folder is None or not thrown(name):
                return
            if _mounts(f"{self.root}/{TRASH}/{name}"):
                raise mounted_inside(f"{TRASH}/{name}")
            try:
                shutil.rmtree(last, dir_fd=folder)
            except OSError as error:
                raise storage_failed(error, f"{TRASH}/{name}") from error

    def _walk(self, path: str) -> Iterator[tuple[str, os.stat_result]]:
        with self._parent(path) as (folder, name):
            top = self._lstat(name, folder, path)
            if folder is None or top is None:
                return
            yield path, top
            if stat.S_ISDIR(top.st_mode):
                fd = os.open(name, _FOLDER, dir_fd=folder)
                yield from _below(fd, path, top.st_dev)


def _beginning(name: str, folder: int) -> bytes:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return b""
    with os.fdopen(fd, "rb") as file:
        return file.read(len(_SQLITE))


def _below(fd: int, path: str, device: int) -> Iterator[tuple[str, os.stat_result]]:
    """What is in an open folder, which is closed at the end."""
    try:
        for name in sorted(os.listdir(fd)):
            try:
                seen = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if seen.st_dev != device:
                continue
            here = f"{path}/{name}"
            yield here, seen
            if stat.S_ISDIR(seen.st_mode):
                with contextlib.suppress(OSError):
                    yield from _below(os.open(name, _FOLDER, dir_fd=fd), here, device)
    finally:
        os.close(fd)


def _ours(seen: os.stat_result) -> bool:
    """Whether an entry's owner may be changed: no link, and no file that has another name elsewhere."""
    return stat.S_ISDIR(seen.st_mode) or (not stat.S_ISLNK(seen.st_mode) and seen.st_nlink == 1)


def _mounts(path: str) -> bool:
    """Whether something is mounted there or below, by proc(5)'s mountinfo, where such signs stand in octal."""
    mine = "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in path)
    try:
        text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return False
    points = (line.split(" ")[4] for line in text.splitlines())
    return any(p == mine or p.startswith(f"{mine}/") for p in points)


def _rename(old: int, name: str, new: int, called: str) -> None:
    """Rename that replaces nothing; where the kernel or file system knows no such call, the check before must do."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is not None:
        if call(old, os.fsencode(name), new, os.fsencode(called), _NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.ENOSYS, errno.EINVAL):
            raise OSError(code, os.strerror(code))
    os.rename(name, called, src_dir_fd=old, dst_dir_fd=new)


def _unmoved(error: OSError, source: str, target: str) -> StorageFailed:
    if error.errno == errno.EXDEV:
        return other_file_system(source, target)
    return storage_failed(error, target)
