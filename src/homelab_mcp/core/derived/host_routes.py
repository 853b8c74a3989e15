"""Traefik's file of the services on other hosts, from their labels and the hosts' private addresses."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core import host_routes
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.external_routes import hosts_of
from homelab_mcp.core.hosts import private_addresses
from homelab_mcp.core.stream_routes import StreamRoute, sections, stream_routes
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import HOSTS_FILE


def routes_of(lab: LabAfter) -> list[host_routes.HostRoute]:
    """The routes of services on other hosts; none where ``hosts.yaml`` cannot be read."""
    if not host_routes.core_folder(lab.view):
        return []
    try:
        return host_routes.host_routes(lab.view, private_addresses(lab.read(HOSTS_FILE)))
    except HomelabError:
        return []


def _streams_of(lab: LabAfter) -> list[StreamRoute]:
    try:
        return stream_routes(lab.view, private_addresses(lab.read(HOSTS_FILE)), hosts_of(lab.settings))
    except HomelabError:
        return []


def host_routes_file(lab: LabAfter) -> Iterable[DerivedFile]:
    """The file; none without a Traefik on this machine whose dynamic folder is in its stack."""
    folder = host_routes.core_folder(lab.view)
    if not folder:
        return
    path = f"{folder}/{host_routes.FILE}"
    now = lab.read(path)
    if now is not None and not now.startswith(host_routes.HEAD):
        # A file of that name that is not ours is somebody's own.
        return
    text = host_routes.file_text(routes_of(lab), sections(_streams_of(lab)))
    yield DerivedFile(path, text or None, f"{path} follows the labels of services on other hosts.")
