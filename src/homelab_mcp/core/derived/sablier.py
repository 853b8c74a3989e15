"""Sablier's middlewares, one a group, as a file of Traefik's dynamic folder: from the labels of who sleeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from homelab_mcp.core import lazy, lazy_hosts
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.hosts import private_addresses
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import HOSTS_FILE

_HEAD = (
    "# Made by homelab-mcp from the labels sablier.* and homelab.lazy.* of the services; made anew with every plan.\n"
    "# Middlewares of your own belong in another file of this folder.\n"
)
_TIMEOUT = "1m"


def sablier_file(lab: LabAfter) -> Iterable[DerivedFile]:
    """The file; none without a Traefik whose dynamic folder is in its stack, and none where nobody sleeps.

    Who sleeps where no Sablier is reached gets no middleware: the route is shut, and not open.
    """
    traefik = lazy_hosts.traefik_of(lab.view)
    folder = lazy.dynamic_folder(traefik) if traefik else ""
    if not folder:
        return
    path = f"{folder}/{lazy.FILE}"
    asleep = _asleep(lab)
    now = lab.read(path)
    if not asleep:
        # A file of that name that is not ours is somebody's own.
        if now is not None and now.startswith(_HEAD):
            yield DerivedFile(path, None, "Nobody sleeps any more: Traefik's file of Sablier's middlewares goes.")
        return
    middlewares = {
        one.middleware: {"plugin": {"sablier": _options(one, url)}} for _, (one, url) in sorted(asleep.items())
    }
    lines = entry("http", {"middlewares": middlewares}, 0, Style())
    yield DerivedFile(path, _HEAD + "\n".join(lines) + "\n", "Traefik's file of Sablier's middlewares follows.")


def _asleep(lab: LabAfter) -> dict[str, tuple[lazy.Lazy, str]]:
    """Group -> how it sleeps, and where the Sablier of its host is asked."""
    try:
        addresses = private_addresses(lab.read(HOSTS_FILE))
    except HomelabError:
        addresses = {}
    found: dict[str, tuple[lazy.Lazy, str]] = {}
    for host in sorted({s.host for s in lab.view.services}):
        sleepers = lazy.sleepers(lab.view.on(host))
        url = lazy_hosts.asked_at(lab.view, host, addresses)[0] if sleepers else ""
        found |= {one.group: (one, url) for one in sleepers.values() if url}
    return found


def _options(one: lazy.Lazy, url: str) -> dict[str, Any]:
    options: dict[str, Any] = {"sablierUrl": url, "group": one.group}
    if one.session:
        options["sessionDuration"] = one.session
    if one.strategy == "blocking":
        return {**options, "blocking": {"timeout": _TIMEOUT}}
    return {**options, "dynamic": {"displayName": one.name, **({"theme": one.theme} if one.theme else {})}}
