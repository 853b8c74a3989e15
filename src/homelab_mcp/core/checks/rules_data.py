"""HL221: two databases on one folder of data."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import CACHES, is_client, is_database
from homelab_mcp.core.checks.rules_keeping import data_folder
from homelab_mcp.core.checks.view import Mount, ServiceView
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.model.finding import Finding, Severity

HEAD = "services:\n  a:\n    image: mariadb:11.8\n    volumes: ['./db:/var/lib/mysql']\n  b:\n    image: mariadb:11.8\n"


@rule(
    "HL221",
    Severity.ERROR,
    "Two databases on one folder",
    why="A database takes its folder for its own: a second one there refuses to start, or the two destroy the data.",
    link="https://docs.docker.com/engine/storage/volumes/",
    bad=f"{HEAD}    volumes: ['./db:/var/lib/mysql']\n",
    good=f"{HEAD}    volumes: ['./db-b:/var/lib/mysql']\n",
)
def one_folder(ctx: LintContext) -> Iterable[Finding]:
    """Two services of database images whose data is one host folder or one volume."""
    first: dict[str, ServiceView] = {}
    for service in ctx.services():
        if not is_database(service) or is_client(service):
            continue
        folder = "/data" if service.image_name in CACHES else data_folder(service)
        for mount in service.mounts:
            place = place_of(service, mount) if folder and _holds(mount, folder) else ""
            other = first.setdefault(place, service) if place else service
            if other is not service and service.is_beside(other):
                where = "this file" if other.stack is service.stack else other.stack.file
                message = f"{other.name!r} in {where} keeps its data in the same place."
                yield ctx.on(service, mount.at("source"), message)


def _holds(mount: Mount, folder: str) -> bool:
    target = posixpath.normpath(mount.target) if mount.target else ""
    return not mount.read_only and (target == folder or target.startswith(f"{folder}/"))


def place_of(service: ServiceView, mount: Mount) -> str:
    """Where a mount's data is, one text for one place; "" where that cannot be told."""
    part = service.data.get("volumes")
    item = part[mount.path[1]] if isinstance(part, list) and isinstance(mount.path[1], int) else None
    if mount.open or not mount.source or (isinstance(item, dict) and item.get("volume")):
        return ""
    if mount.kind == "bind":
        return posixpath.normpath(posixpath.join("/", posixpath.dirname(service.stack.file), mount.source))
    body = service.stack.section("volumes").get(mount.source)
    named = body.get("name") if isinstance(body, dict) else None
    external = is_external(body)
    return f"volume {named or (mount.source if external else f'{service.stack.project}_{mount.source}')}"
