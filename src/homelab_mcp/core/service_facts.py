"""What a service's compose block says of its folders and variables."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from homelab_mcp.core.operations.lab_view import Known


def folder_at(service: Known, target: str) -> str:
    """The folder of its own stack that a service has at a path, relative to the lab's root; "" where it has none."""
    volumes = service.data.get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, Mapping):
            source, place = str(volume.get("source", "")), str(volume.get("target", ""))
        else:
            source, _, rest = str(volume).partition(":")
            place = rest.partition(":")[0]
        if place.rstrip("/") == target and source.startswith("./"):
            folder = posixpath.normpath(posixpath.join(service.stack, source))
            return folder if folder.startswith(f"{service.stack}/") else ""
    return ""


def environment_of(service: Known) -> dict[str, str]:
    """A service's environment as its file has it, from either form."""
    raw = service.data.get("environment")
    if isinstance(raw, Mapping):
        return {str(k): "" if v is None else str(v) for k, v in raw.items()}
    if isinstance(raw, list):
        return {k: v for k, _, v in (str(item).partition("=") for item in raw)}
    return {}
