"""Traefik's file of the services that show a certificate of their own, from their labels."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core import own_certificates
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.kept_routes import is_traefik
from homelab_mcp.core.lazy import dynamic_folder


def own_certificates_file(lab: LabAfter) -> Iterable[DerivedFile]:
    """One file a Traefik whose dynamic folder is in its stack; none where no service needs one."""
    for traefik in (s for s in lab.view.services if is_traefik(s)):
        folder = dynamic_folder(traefik)
        if not folder:
            continue
        path = f"{folder}/{own_certificates.FILE}"
        now = lab.read(path)
        if now is not None and not now.startswith(own_certificates.HEAD):
            # A file of that name that is not ours is somebody's own.
            continue
        text = own_certificates.file_text(own_certificates.transports(lab.view, traefik.host))
        yield DerivedFile(
            path, text or None, f"{path} names the services whose own certificate Traefik does not check."
        )
