"""HL116: databases whose data goes with the container, or lies where nobody looks for it."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import CACHES, DATA_FOLDERS, is_client, postgres_major, words_of
from homelab_mcp.core.checks.view import Mount, ServiceView
from homelab_mcp.model.finding import Finding, Severity


@rule(
    "HL116",
    Severity.WARNING,
    "A database that keeps nothing",
    why="Without a volume over the very folder the data goes with the container, at the next update at the latest. A "
    "mount above that folder does not hold it where the image declares a volume of its own for it.",
    link="https://docs.docker.com/engine/storage/volumes/",
    bad="services:\n  db:\n    image: mongo:7.0\n",
    good="services:\n  db:\n    image: mongo:7.0\n    volumes: ['./db:/data/db']\n",
)
def forgetful_database(ctx: LintContext) -> Iterable[Finding]:
    """A database image without a volume over its data folder, or with one that narrowly misses it."""
    for service in ctx.services():
        folder = data_folder(service) or ("/data" if service.image_name in CACHES else "")
        if service.partial or not folder or is_client(service) or "volumes_from" in service.data:
            continue
        moved = any(word in " ".join(words_of(service, "command")) for word in _MOVED)
        if any(m.open or moved for m in service.mounts):
            continue
        above = list(_shadowed(service, folder))
        if not _keeps(service, folder):
            missed = [m for m in service.mounts if _is_near(service, m, folder)]
            for mount in missed:
                yield ctx.on(service, mount.at("target"), f"The data is in {folder}: nothing of it comes here.")
            if not missed and service.image_name not in CACHES:
                yield ctx.on(service, (), f"Nothing is mounted at {folder}: its data goes with the container.")
        for mount in above:
            message = f"The image has a volume of its own at {folder}, and the data is in that, not in this mount."
            yield ctx.on(service, mount.at("target"), message)


def data_folder(service: ServiceView) -> str:
    """Where a database's image keeps its data; "" where nobody knows. Other makers have places of their own."""
    name = service.image_name
    repository = str(service.data.get("image") or "").lower()
    if name in CACHES:
        return ""
    if "bitnami" in repository:
        return f"/bitnami/{name}" if name in {"postgresql", "mariadb", "mysql", "mongodb"} else ""
    if 0 < postgres_major(service) < 18:
        return "/var/lib/postgresql/data"
    return "/config" if "linuxserver/" in repository and name in DATA_FOLDERS else DATA_FOLDERS.get(name, "")


def _keeps(service: ServiceView, folder: str) -> bool:
    if service.image_name in CACHES:
        return any(_is_in(folder, m.target) for m in service.mounts if m.target)
    moved = service.environment.get("PGDATA")
    places = [moved.value] if moved and moved.value and not moved.open else [folder]
    return any(_covers(m.target, p) for m in service.mounts for p in places) or any(
        service.image_name == "influxdb" and m.target.startswith(folder) for m in service.mounts
    )


def _covers(target: str, folder: str) -> bool:
    return bool(target) and (_is_in(folder, target) or _is_in(target, folder))


def _is_in(path: str, folder: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")


def _shadowed(service: ServiceView, folder: str) -> Iterator[Mount]:
    """Mounts above a data folder for which the image declares a volume (``VOLUME``), where none is at the folder."""
    own = postgres_major(service) or service.image_name in {"mongo", "mysql", "mariadb"}
    moved = service.environment.get("PGDATA")
    elsewhere = moved and (moved.open or not _is_in(moved.value or folder, folder))
    if not own or folder == "/config" or folder.startswith("/bitnami") or elsewhere:
        return
    if any(_is_in(m.target, folder) for m in service.mounts):
        return
    for mount in service.mounts:
        if mount.target and _is_in(folder, mount.target):
            yield mount


def _is_near(service: ServiceView, mount: Mount, folder: str) -> bool:
    """True for a mount that is meant for the data folder and misses it."""
    target = posixpath.normpath(mount.target) if mount.target.startswith("/") else ""
    words = f"{words_of(service, 'command')}{words_of(service, 'entrypoint')}"
    if not target or mount.read_only or mount.kind == "tmpfs" or "." in posixpath.basename(target):
        return False
    if service.image_name in CACHES:
        told = (
            "--dir" in words
            or ".conf" in words
            or "bitnami" in service.image
            or service.image_name not in {"redis", "valkey"}
        )
        return not told and (target in _NEAR_REDIS or target.startswith("/data"))
    if target.startswith(("/docker-entrypoint", "/etc/", "/var/log", "/var/run", "/run", "/tmp", "/backup")):  # noqa: S108
        return False
    near = difflib.SequenceMatcher(None, target, folder).ratio() >= 0.8
    return near or target.startswith(_NEAR.get(folder, "\0"))


_MOVED = ("--dbpath", "--datadir", "data_directory")
_NEAR_REDIS = frozenset({"/var/lib/redis", "/var/redis", "/redis", "/redis-data", "/redis_data", "/var/lib/redis/data"})
_NEAR: dict[str, tuple[str, ...]] = {
    "/var/lib/postgresql/data": ("/var/lib/postgres", "/var/postgres", "/var/lib/pgsql", "/postgres", "/pgdata"),
    "/var/lib/postgresql": ("/var/lib/postgres", "/var/postgres", "/var/lib/pgsql", "/postgres", "/pgdata"),
    "/var/lib/mysql": ("/var/lib/mariadb", "/var/mysql", "/var/lib/mysql", "/mysql", "/data/mysql", "/mariadb"),
    "/data/db": ("/var/lib/mongo", "/mongo", "/data/mongo", "/var/mongo", "/db/data"),
}
