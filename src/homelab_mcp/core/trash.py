"""How folders of the trash are called: by when they were thrown away, and where that is not this machine by its host.

``20261128-160500-wiki`` is here, ``20261128-160500-restore-wiki@nas`` on host nas. No host and no service has ``@`` in
its name.
"""

from __future__ import annotations

import re

from homelab_mcp.model.lab import LOCAL, TRASH

_THROWN = re.compile(r"([0-9]{8}-[0-9]{6})-")


def trash_folder(name: str, host: str = LOCAL) -> str:
    """The path of a folder of the trash for data of that host; ``name`` begins with its time."""
    return on_host(f"{TRASH}/{name}", host)


def on_host(folder: str, host: str) -> str:
    """The folder of the trash that is on a host what this one is on this machine."""
    return folder if host in ("", LOCAL) or not folder else f"{folder}@{host}"


def thrown(name: str) -> str:
    """When a folder of the trash was thrown away, as its name says it; "" where it says nothing, and is somebody's."""
    found = _THROWN.match(name)
    return found[1] if found else ""


def host_of_trash(name: str) -> str:
    """The host that a folder of the trash is on, by its name."""
    if not thrown(name):
        return LOCAL
    return name.rpartition("@")[2] or LOCAL if "@" in name else LOCAL
