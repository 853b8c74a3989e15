"""A stack as it would be, laid out for Compose; its texts stay in memory, so that no kill leaves them behind.

Each text is a file without a name (memfd_create(2)) that lives as long as this process, and a link to it in a folder
apart. Where the system has no such files they are written into that folder, which its owner alone can enter.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from homelab_mcp.adapters.private import private_folder
from homelab_mcp.model.lab import CHECKS_FOLDER, COMPOSE_NAMES, OVERRIDE_NAMES, PRIVATE_FOLDER

_OLD = "homelab-check-*"
"""What earlier versions left in the temporary folder when they were killed; those did hold texts."""
_STALE = 600.0
NOTHING: Mapping[str, str] = {}


@contextlib.contextmanager
def laid_out(
    root: Path, stack: str, texts: Mapping[str, str], elsewhere: Mapping[str, str] = NOTHING
) -> Iterator[Path]:
    """A folder that stands for the stack's, with these texts (by name) as its compose files and ``.env``.

    All else of the lab is linked to, so that relative paths (env_file, include) lead where they would lead from the
    stack's own folder. ``elsewhere`` are further texts by their path from the lab's root, which stand for those there.
    What a killed look left is removed first.
    """
    sweep(root)
    with held_folder(private_folder(root, CHECKS_FOLDER)) as top, contextlib.ExitStack() as open_files:
        place = top / stack
        place.mkdir(mode=0o700)
        _link(root, top, {stack, PRIVATE_FOLDER})
        _link(root / stack, place, {*COMPOSE_NAMES, *OVERRIDE_NAMES, ".env"})
        for name, text in texts.items():
            open_files.enter_context(in_memory(place / name, text))
        for path, text in elsewhere.items():
            open_files.enter_context(in_memory(_cleared(root, top, path), text))
        yield place


@contextlib.contextmanager
def held_folder(within: str | Path, prefix: str = "tmp") -> Iterator[Path]:
    """A folder of its owner's alone, locked while this process lives, so that a sweep knows the dead ones."""
    top = Path(tempfile.mkdtemp(prefix=prefix, dir=within))
    held = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield top
    finally:
        os.close(held)
        shutil.rmtree(top, ignore_errors=True)


def sweep_folders(prefix: str) -> list[str]:
    """Remove this user's folders of that prefix in the temporary folder whose process is gone; their names."""
    gone = []
    for folder in _folders(Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            if folder.name.startswith(prefix) and folder.lstat().st_uid == os.getuid() and not _held(folder):
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(folder.name)
    return gone


def sweep(root: Path) -> list[str]:
    """Remove the folders of looks whose process is gone, and those that earlier versions left; their names."""
    gone = []
    for folder in _folders(root / PRIVATE_FOLDER / CHECKS_FOLDER):
        with contextlib.suppress(OSError):
            if not _held(folder):
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(folder.name)
    for folder in Path(tempfile.gettempdir()).glob(_OLD):
        with contextlib.suppress(OSError):
            seen = folder.lstat()
            if seen.st_uid == os.getuid() and time.time() - seen.st_mtime > _STALE and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(folder.name)
    return gone


def _folders(place: Path) -> list[Path]:
    try:
        return [entry for entry in place.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return []


def _held(folder: Path) -> bool:
    """Whether a living process looks at it, or made it just now and does not hold it yet."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return abs(time.time() - os.fstat(fd).st_mtime) < 1.0
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def _link(folder: Path, into: Path, without: set[str]) -> None:
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            if entry.name not in without:
                (into / entry.name).symlink_to(entry.absolute())


def _cleared(root: Path, top: Path, path: str) -> Path:
    """The place of a file of the lab in the laid out one, empty; folders on the way are folders and no links."""
    *folders, name = Path(path).parts
    place = top
    for folder in folders:
        root, place = root / folder, place / folder
        if place.is_symlink():
            place.unlink()
        if not place.exists():
            place.mkdir(mode=0o700)
            _link(root, place, set())
    found = place / name
    found.unlink(missing_ok=True)
    return found


@contextlib.contextmanager
def in_memory(path: Path, text: str) -> Iterator[None]:
    """The text at that path: a link to a file without a name, or a private file where there is no such thing."""
    make = getattr(os, "memfd_create", None)
    if make is None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    else:
        fd = make("homelab", os.MFD_CLOEXEC)
        path.symlink_to(f"/proc/{os.getpid()}/fd/{fd}")
    try:
        data = text.encode("utf-8")
        while data:
            data = data[os.write(fd, data) :]
        yield
    finally:
        os.close(fd)
