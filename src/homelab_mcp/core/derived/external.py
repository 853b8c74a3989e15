"""Traefik's file of the external services, from ``external`` in the lab's settings."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core import external_routes
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.lazy import dynamic_folder
from homelab_mcp.core.traefik import gives_certificates


def external_file(lab: LabAfter) -> Iterable[DerivedFile]:
    """The file; none without a Traefik whose dynamic folder is in its stack, and none where nothing is external."""
    traefik = lab.view.made_from("traefik")
    folder = dynamic_folder(traefik) if traefik else ""
    if traefik is None or not folder:
        return
    path = f"{folder}/{external_routes.FILE}"
    now = lab.read(path)
    if now is not None and not now.startswith(external_routes.HEAD):
        # A file of that name that is not ours is somebody's own.
        return
    text = external_routes.file_text(lab.settings, shared_certificates=gives_certificates(traefik.data.get("command")))
    why = f"{path} follows 'external' in homelab.yaml."
    yield DerivedFile(path, text or None, why)
