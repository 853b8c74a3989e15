"""HL272, HL273: what programs must not lose: kept by nothing, or in the folder of another."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.app_folders import kept_in, repository
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.checks.rules_data import place_of
from homelab_mcp.core.checks.view import Mount, ServiceView
from homelab_mcp.model.finding import Finding, Severity

VOLUMES = "https://docs.docker.com/engine/storage/volumes/"
KUMA = "services:\n  kuma:\n    image: louislam/uptime-kuma:2.0.2\n"
ARRS = (
    "services:\n  sonarr:\n    image: lscr.io/linuxserver/sonarr:4.0.15\n    volumes: ['./sonarr:/config']\n"
    "  radarr:\n    image: lscr.io/linuxserver/radarr:5.26.2\n"
)


@rule(
    "HL272",
    Severity.WARNING,
    "A program that keeps nothing",
    why="Its settings, users and entries are in a folder of the container that nothing of the host is mounted over: "
    "they go with the container, at the next update at the latest.",
    link=VOLUMES,
    bad=f"{KUMA}    volumes: ['./data:/data']\n",
    good=f"{KUMA}    volumes: ['./data:/app/data']\n",
)
def forgetful_program(ctx: LintContext) -> Iterable[Finding]:
    """A well-known program without a mount at, above or below the folder of its data, or with one that is read-only."""
    for service in ctx.services():
        folder = kept_in(service)
        if not folder or service.partial or service.data.get("volumes_from") or service.data.get("env_file"):
            continue
        words = " ".join([*words_of(service, "command"), *words_of(service, "entrypoint")])
        told = words + " ".join(e.value or "" for e in service.environment.values())
        targets = [m.target.rstrip("/") for m in service.mounts]
        for mount in service.mounts:
            if mount.target.rstrip("/") == folder and mount.read_only:
                yield ctx.on(service, mount.at("read_only"), f"It writes to {folder}, and this is mounted read-only.")
            elif mount.target.rstrip("/") == folder and mount.kind == "anonymous" and not mount.open:
                message = f"Its data is in {folder}: a volume without a name goes with the container."
                yield ctx.on(service, mount.path, message)
        if any(m.open for m in service.mounts) or any(t and (_within(t, folder) or t in told) for t in targets):
            continue
        if repository(service) in _WITH_DATABASE and any("DB" in k or "DATABASE" in k for k in service.environment):
            continue
        meant = [m for m in service.mounts if _is_data(m)]
        sure = [m for m in meant if _is_near(m.target, folder)] or (meant if len(meant) == 1 else [])
        message = f"Its data is in {folder}, and nothing is mounted there"
        if sure:
            best = max(sure, key=lambda m: difflib.SequenceMatcher(None, m.target, folder).ratio())
            yield ctx.on(service, best.path, f"{message}: this is another folder.")
        else:
            yield ctx.on(service, (), f"{message}: it goes with the container.")


_WITH_DATABASE = frozenset({"grafana/grafana", "grafana/grafana-oss", "paperless-ngx/paperless-ngx", "nocodb/nocodb"})
"""Programs that keep next to nothing of their own where a database is set up for them."""


def _within(target: str, folder: str) -> bool:
    return f"{target}/".startswith(f"{folder}/") or f"{folder}/".startswith(f"{target}/")


def _is_data(mount: Mount) -> bool:
    of_host = mount.source.startswith("/") and not mount.source.startswith(("/opt", "/srv", "/home", "/mnt", "/docker"))
    other = _OTHER.search(mount.target.lower()) or "." in posixpath.basename(mount.target)
    return not mount.read_only and mount.kind in {"bind", "volume"} and not of_host and not other


_OTHER = re.compile(
    r"/(?:media|downloads?|tv|movies|music|books?|photos?|films?|series|shows|comics|library|torrents?|watch|consume"
    r"|cache|transcode|tmp|logs?|backups?|exports?|dev|run|certs?|ssl|custom-cont-init\.d)\b"
)


def _is_near(target: str, folder: str) -> bool:
    last, wanted = posixpath.basename(target.rstrip("/")).lower(), posixpath.basename(folder).lower()
    return last[:4] == wanted[:4] or (last in _DATA and wanted in _DATA)


_DATA = frozenset({"data", "config", "configs", "conf", "settings", "appdata", "storage", "app"})


@rule(
    "HL273",
    Severity.ERROR,
    "Two programs in one folder",
    why="Each takes the folder for its own and writes its settings over the other's: one of them comes up with "
    "the wrong port, key and database, or not at all.",
    link=VOLUMES,
    bad=f"{ARRS}    volumes: ['./sonarr:/config']\n",
    good=f"{ARRS}    volumes: ['./radarr:/config']\n",
)
def shared_folder(ctx: LintContext) -> Iterable[Finding]:
    """Two different well-known programs whose folder of data is one folder of the host, or one volume."""
    first: dict[str, ServiceView] = {}
    for service in ctx.services():
        for mount in _own(service):
            place = place_of(service, mount)
            other = first.setdefault(place, service) if place else service
            if other is not service and service.is_beside(other) and repository(other) != repository(service):
                where = "this file" if other.stack is service.stack else other.stack.file
                message = f"{other.name!r} in {where} keeps its settings in the same place."
                yield ctx.on(service, mount.at("source"), message)


def _own(service: ServiceView) -> Iterator[Mount]:
    folder = kept_in(service)
    for mount in service.mounts if folder else ():
        if mount.target.rstrip("/") == folder and not mount.read_only:
            yield mount
