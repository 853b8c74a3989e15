"""Keeps the dynamic folder's own file as the lab's settings say, beside every Traefik that reads it."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.labels import SERVICE
from homelab_mcp.core.traefik import DYNAMIC_FILE, TRAEFIK, dynamic_text
from homelab_mcp.core.traefik.dynamic import SECURITY_HEADERS


def traefik_dynamic(lab: LabAfter) -> Iterator[DerivedFile]:
    """One file a Traefik whose entry point names its middlewares; one made by hand, or long ago, is let be."""
    for known in lab.view.services:
        command = known.data.get("command")
        flags = command if isinstance(command, list) else []
        if known.labels.get(SERVICE) != TRAEFIK or not any(SECURITY_HEADERS in str(f) for f in flags):
            continue
        path = f"{known.stack}/{known.name}/{DYNAMIC_FILE}"
        yield DerivedFile(path, dynamic_text(lab.settings), f"{path} follows the lab's settings.")
