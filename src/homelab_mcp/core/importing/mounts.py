"""Host folders that a service asks for: which are the lab's own, which are a risk, which are refused."""

from __future__ import annotations

import posixpath
from enum import StrEnum

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import PRIVATE_FOLDER, LabSettings

_SENSITIVE = (
    *("/etc", "/root", "/boot", "/proc", "/sys", "/dev", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/run"),
    *("/var/run", "/var/lib/docker", "/var/lib/containerd", "/var/spool/cron"),
)
_CLOCK = frozenset({"/etc/localtime", "/etc/timezone"})
_SOCKETS = frozenset({"/var/run/docker.sock", "/run/docker.sock"})
_MADE_UP = ("/path/to", "/path", "/your", "/my", "/some", "/host", "/absolute")
"""How manuals write a folder that the reader is to choose."""


class Place(StrEnum):
    """What an absolute path on the host is."""

    MEDIA = "media"
    DOWNLOADS = "downloads"
    CLOCK = "clock"
    SOCKET = "socket"
    MADE_UP = "made_up"
    OUTSIDE = "outside"


def place_of(path: str, settings: LabSettings, root: str) -> Place:
    """What this path is.

    Raises:
        InvalidInput: it is the system's, or holds the lab's own keys and secrets (code ``mount_refused``).
    """
    # normpath keeps two slashes at the beginning (POSIX), the kernel does not.
    path = posixpath.normpath("/" + path.lstrip("/"))
    if path in _CLOCK:
        return Place.CLOCK
    if path in _SOCKETS or path == settings.docker_socket:
        return Place.SOCKET
    if inside(path, settings.media_dir):
        return Place.MEDIA
    if inside(path, settings.downloads_dir):
        return Place.DOWNLOADS
    if any(inside(path, start) for start in _MADE_UP) or "<" in path:
        return Place.MADE_UP
    private = posixpath.join(root, PRIVATE_FOLDER)
    if any(inside(path, s) for s in (*_SENSITIVE, private)) or inside(root, path):
        raise InvalidInput(
            f"{path} is the host's or the lab's own: whoever writes there commands the machine.",
            hint="Leave that mount out. Where it really must be, a person adds it to the compose file by hand.",
            code="mount_refused",
        )
    return Place.OUTSIDE


def inside(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or below it."""
    stem = folder.rstrip("/")
    return path == folder or path.startswith(f"{stem}/")


def shared(path: str, place: Place, settings: LabSettings) -> str:
    """A path in a folder that the lab shares, with its variable in front."""
    folder, variable = (
        (settings.media_dir, "${MEDIA_DIR}") if place is Place.MEDIA else (settings.downloads_dir, "${DOWNLOADS_DIR}")
    )
    return f"{variable}{posixpath.normpath('/' + path.lstrip('/'))[len(folder.rstrip('/')) :]}"
