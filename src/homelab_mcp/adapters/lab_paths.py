"""Which relative paths lead to a place inside the lab, and what is told of those that do not."""

from __future__ import annotations

import contextlib
import errno
import os

from homelab_mcp.model.errors import InvalidInput

_IS_LINK = {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}


def present(folder: int | None, path: str) -> int:
    """The folder, which is missing only when someone took it away in the moment since it was made."""
    if folder is None:
        raise InvalidInput(f"{path}: its folder vanished.", code="folder_vanished", hint="Try again.")
    return folder


def parts_of(path: str) -> list[str]:
    """The path's parts. Raises InvalidInput (``path_refused``)."""
    parts = path.split("/")
    outside = path.startswith("/") or any(p in {"", ".", ".."} for p in parts)
    odd = any(ord(c) < 32 or ord(c) == 127 for c in path) or len(path.encode("utf-8", "replace")) > 1024
    if outside or odd or any(len(p.encode("utf-8", "replace")) > 200 for p in parts):
        raise InvalidInput(
            "The path does not lead to a place inside the lab.",
            code="path_refused",
            hint="Give a path relative to the lab's root, without '..'.",
        )
    return parts


def give(fd: int, uid: int, gid: int) -> None:
    """Give an open file or folder to its owner, where this process may."""
    found = os.fstat(fd)
    if (found.st_uid, found.st_gid) != (uid, gid):
        # Only root may give files away; as any other user, what we make is ours.
        with contextlib.suppress(PermissionError):
            os.fchown(fd, uid, gid)


def refused(path: str, error: OSError) -> InvalidInput:
    """What is told of a file that cannot be opened: a link in the way, or what the system says."""
    if error.errno in _IS_LINK:
        return InvalidInput(
            f"{path} leads through a symbolic link or something that is no folder.",
            code="symlink_refused",
            hint="Use a path of real files and folders inside the lab.",
        )
    return InvalidInput(
        f"{path} cannot be opened: {os.strerror(error.errno or 0)}.",
        code="file_unreadable",
        hint="Check its owner.",
    )
