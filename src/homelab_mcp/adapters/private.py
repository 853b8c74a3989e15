"""The lab's private folder ``.homelab/``: what this project keeps for itself, readable by its owner only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import time
from pathlib import Path

from homelab_mcp.model.errors import InvalidInput, StorageFailed, storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER


def private_folder(root: Path, *below: str) -> Path:
    """The private folder (or a folder below it), made with mode 0700 where it is missing.

    It holds a ``.gitignore`` that keeps all of it out of any repository. Raises InvalidInput (symlink_refused)
    when any part of it is a symbolic link or no folder, and lets OSError through.
    """
    path = root / PRIVATE_FOLDER
    for part in ("", *below):
        path = path / part if part else path
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            mode = path.lstat().st_mode
            if not stat.S_ISDIR(mode):
                raise InvalidInput(
                    f"{path.relative_to(root)} is not a plain folder.",
                    code="symlink_refused",
                    hint="Move it away; the folder is made anew.",
                ) from None
    ignore = root / PRIVATE_FOLDER / ".gitignore"
    if not ignore.exists():
        write_private(ignore, "*\n")
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 whole or not at all: temp file beside it, fsync, rename, fsync of the folder.

    Raises StorageFailed, with the old file intact.
    """
    try:
        _write(path, text)
    except StorageFailed:
        raise
    except OSError as error:
        raise storage_failed(error, f"{PRIVATE_FOLDER}/{path.name}") from error


def replace_private(path: Path, text: str) -> None:
    """As ``write_private``; then the old file's bytes are overwritten where they stood.

    That is all a program can do: SSDs, snapshots and copy-on-write file systems keep copies of their own.
    """
    try:
        old = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        old = -1
    try:
        write_private(path, text)
        if old >= 0:
            with contextlib.suppress(OSError):
                size = os.fstat(old).st_size
                os.pwrite(old, bytes(size), 0)
                os.fsync(old)
    finally:
        if old >= 0:
            os.close(old)


def overwrite(path: Path) -> None:
    """Remove a file once its bytes are overwritten where they stood; ``replace_private`` says what that is worth."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.pwrite(fd, bytes(os.fstat(fd).st_size), 0)
            os.fsync(fd)
        finally:
            os.close(fd)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write(path: Path, text: str) -> None:
    temp = path.with_name(f".{path.name}.{secrets.token_hex(6)}.homelab-tmp")
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        # Until this process has ended: nobody then takes the file for one that a killed process left.
        fcntl.flock(fd, fcntl.LOCK_EX)
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temp.rename(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def is_held(path: Path) -> bool:
    """Whether a living process is writing this temp file; looks twice, as one is not held in its first instant."""
    for wait in (0.1, 0.0):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        time.sleep(wait)
    return False
