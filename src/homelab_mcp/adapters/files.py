"""The lab's folder: reads and atomic writes that stay inside it and follow no symbolic link."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from homelab_mcp.adapters.lab_paths import give, parts_of, present, refused
from homelab_mcp.adapters.private import is_held
from homelab_mcp.model.errors import InvalidInput, StorageFailed, storage_failed
from homelab_mcp.model.lab import COMPOSE_NAMES, NAME_PATTERN, PRIVATE_FOLDER

MAX_BYTES = 10 * 1024 * 1024
_TEMP = re.compile(r"\..+\.[0-9a-f]{12}\.homelab-tmp")
_SWEEP_DEPTH = 5
_SWEEP_ENTRIES = 50_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LabFiles:
    """Fulfils ``ports.Files``.

    Every path is walked from the root by open folders without following links, so that a folder swapped for a link
    between check and use leads nowhere.

    Args:
        root: the lab's folder; may itself be reached through a link.
        owner: (uid, gid) of folders that are made, where this process may give them away; else the parent's.
    """

    def __init__(self, root: str | Path, owner: tuple[int, int] | None = None) -> None:
        self._root = Path(root).resolve()
        self._owner = owner

    @property
    def root(self) -> str:
        """The lab's folder as an absolute path."""
        return str(self._root)

    def read(self, path: str) -> str | None:
        """The file's text, line ends as they are; None where there is none.

        Raises InvalidInput: outside the lab, a symbolic link, no regular file, past 10 MiB, not UTF-8.
        """
        with self.opened(path) as file:
            if file is None:
                return None
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise InvalidInput(f"{path} is larger than 10 MiB.", code="file_too_large", hint="Split or shrink it.")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidInput(f"{path} is not UTF-8 text.", code="not_utf8", hint="Convert it to UTF-8.") from None

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO | None]:
        """A regular file of the lab, open for reading and reached through no link; None where there is none.

        Raises InvalidInput: outside the lab, a symbolic link, no regular file.
        """
        with self._parent(path) as (folder, name):
            fd = -1
            if folder is not None:
                try:
                    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    raise refused(path, error) from error
        if fd < 0:
            yield None
            return
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise InvalidInput(f"{path} is not a regular file.", hint="Name a text file.")
            yield file

    def names(self, path: str) -> list[str] | None:
        """What is in the folder, folders with "/" behind, sorted; None where there is no such folder."""
        with self._parent(path) as (folder, name), contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if folder is not None:
                fd = os.open(name, _FOLDER, dir_fd=folder)
                stack.callback(os.close, fd)
                return sorted(f"{e.name}/" if e.is_dir(follow_symlinks=False) else e.name for e in os.scandir(fd))
        return None

    def mode(self, path: str) -> int | None:
        """Permission bits of the file or folder; None where there is none."""
        with self._parent(path) as (folder, name):
            found = self._lstat(name, folder, path)
            return None if found is None else stat.S_IMODE(found.st_mode)

    def write_atomic(self, path: str, text: str, mode: int) -> None:
        """Write whole or not at all, making missing folders; a file that exists keeps its owner and mode.

        A process killed at any moment leaves the old text or the new, and at most a ``.homelab-tmp`` file that
        ``sweep_temporary`` takes away. Raises InvalidInput, and StorageFailed (disk full, read-only) with the
        old file intact.
        """
        try:
            self._write(path, text, mode)
        except StorageFailed:
            raise
        except OSError as error:
            raise storage_failed(error, path) from error

    def _write(self, path: str, text: str, mode: int) -> None:
        data = text.encode("utf-8")
        if len(data) > MAX_BYTES:
            raise InvalidInput(f"{path} would be larger than 10 MiB.", code="file_too_large", hint="Split it.")
        with self._parent(path, make=True) as (folder, name):
            folder = present(folder, path)
            old = self._lstat(name, folder, path)
            if old is not None and not stat.S_ISREG(old.st_mode):
                raise InvalidInput(f"{path} is not a regular file.", hint="Move it away first.")
            around = os.fstat(folder)
            uid, gid = (old.st_uid, old.st_gid) if old else (around.st_uid, around.st_gid)
            temp = f".{name}.{secrets.token_hex(6)}.homelab-tmp"
            fd = os.open(
                temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder
            )
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(data)
                    file.flush()
                    give(fd, uid, gid)
                    os.fchmod(fd, stat.S_IMODE(old.st_mode) if old else mode)
                    os.fsync(fd)
                os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temp, dir_fd=folder)
                raise
            os.fsync(folder)

    def remove(self, path: str) -> None:
        """Delete the file; a missing one is no error."""
        with self._parent(path) as (folder, name):
            if folder is None or self._lstat(name, folder, path) is None:
                return
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)

    def stack_folders(self) -> list[tuple[str, str]]:
        """(stack name, compose file's relative path), sorted by name.

        A stack is a folder right below the root with one of Compose's file names in it. Hidden folders, symbolic links
        and names that Compose would not take as a project are left out.
        """
        found: list[tuple[str, str]] = []
        if not self._root.is_dir():
            return found
        with os.scandir(self._root) as entries:
            folders = [
                e.name for e in entries if e.is_dir(follow_symlinks=False) and re.fullmatch(NAME_PATTERN, e.name)
            ]
        for name in sorted(folders):
            for compose in COMPOSE_NAMES:
                with contextlib.suppress(OSError):
                    if stat.S_ISREG((self._root / name / compose).lstat().st_mode):
                        found.append((name, f"{name}/{compose}"))
                        break
        return found

    def make_folder(self, path: str, mode: int = 0o755) -> bool:
        """Make the folder ("": the root) and its parents; False where it was there.

        Raises InvalidInput when a file stands there.
        """
        if not self._root.is_dir():
            self._root.mkdir(parents=True, mode=0o755)
            if not path:
                return True
        if not path:
            return False
        with self._parent(path, make=True) as (folder, name):
            folder = present(folder, path)
            return self._mkdir(name, folder, mode, path)

    def remove_empty_folders(self, paths: Iterable[str]) -> None:
        """Remove those of the folders that are empty, the deepest first."""
        for path in sorted(paths, key=lambda p: -p.count("/")):
            with self._parent(path) as (folder, name), contextlib.suppress(OSError):
                if folder is not None:
                    os.rmdir(name, dir_fd=folder)

    def listing(self, folder: str = "") -> list[str]:
        """Relative paths of the regular files right in the folder ("": the root), sorted; none where it is missing.

        Symbolic links and this project's temp files are left out.
        """
        if not self._root.is_dir():
            return []
        # The last part names nothing: what is wanted is the folder that would hold it.
        with self._parent(f"{folder}/_" if folder else "_") as (fd, _):
            if fd is None:
                return []
            with os.scandir(fd) as entries:
                names = [e.name for e in entries if e.is_file(follow_symlinks=False)]
        return sorted(f"{folder}/{n}" if folder else n for n in names if not _TEMP.fullmatch(n))

    def sweep_temporary(self) -> list[str]:
        """Remove temp files that a killed write left; their relative paths.

        Looks five folders deep, where this project writes; in ``.homelab``, where other processes write at any
        time, only at files that nobody holds.
        """
        removed, seen = [], 0
        for here, folders, names in os.walk(self._root, followlinks=False):
            below = Path(here).relative_to(self._root)
            if len(below.parts) >= _SWEEP_DEPTH:
                folders.clear()
            seen += len(names) + len(folders)
            if seen > _SWEEP_ENTRIES:
                break
            folders[:] = [f for f in folders if not f.startswith(".") or (f == PRIVATE_FOLDER and not below.parts)]
            if below.parts == (PRIVATE_FOLDER,):
                # Data of services that went: none of it is ours to judge, and there may be much of it.
                folders[:] = [f for f in folders if f != "trash"]
            for name in names:
                full = Path(here, name)
                if _TEMP.fullmatch(name) and not (below.parts[:1] == (PRIVATE_FOLDER,) and is_held(full)):
                    with contextlib.suppress(FileNotFoundError):
                        full.unlink()
                        removed.append(str(below / name))
        return sorted(removed)

    @contextlib.contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int | None, str]]:
        """The open folder that holds the path's last part (None where it is missing), and that part."""
        *folders, name = parts_of(path)
        if not make and not self._root.is_dir():
            yield None, name
            return
        fd: int | None = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in folders:
                fd = present(fd, path)
                if make:
                    self._mkdir(part, fd, 0o755, path)
                try:
                    below = os.open(part, _FOLDER, dir_fd=fd)
                except FileNotFoundError:
                    os.close(fd)
                    fd = None
                    break
                except OSError as error:
                    raise refused(path, error) from error
                os.close(fd)
                fd = below
            yield fd, name
        finally:
            if fd is not None:
                os.close(fd)

    def _mkdir(self, name: str, parent: int, mode: int, path: str) -> bool:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            found = self._lstat(name, parent, path)
            if found is not None and not stat.S_ISDIR(found.st_mode):
                raise InvalidInput(f"{path}: {name} is a file, not a folder.", hint="Move it away first.") from None
            return False
        fd = os.open(name, _FOLDER, dir_fd=parent)
        try:
            around = os.fstat(parent)
            uid, gid = self._owner or (around.st_uid, around.st_gid)
            give(fd, uid, gid)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)
        os.fsync(parent)
        return True

    def _lstat(self, name: str, folder: int | None, path: str) -> os.stat_result | None:
        if folder is None:
            return None
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            raise refused(path, OSError(errno.ELOOP, ""))
        return found
