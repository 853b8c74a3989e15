"""HL282 to HL285: keys, folders and paths in the wrong place: what is written is not where it is looked for."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.app_folders import kept_in, repository
from homelab_mcp.core.checks.env_texts import said_in_files
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_data import place_of
from homelab_mcp.core.checks.view import Entry, Mount, ServiceView
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
VOLUMES = "https://docs.docker.com/engine/storage/volumes/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
PAPER = (
    "services:\n  paper:\n    image: ghcr.io/paperless-ngx/paperless-ngx:2.18.2\n    environment: {PAPERLESS_REDIS: "
    "'redis://cache'}\n    volumes: ['./data:/usr/src/paperless/data', './media:/usr/src/paperless/"
)
ARR = (
    "services:\n  torrent:\n    image: linuxserver/qbittorrent:5.1.2\n"
    "    volumes: ['./q:/config', '/srv/dl:/downloads']\n"
    "  radarr:\n    image: linuxserver/radarr:5.26.2\n    volumes: ['./radarr:/config', '/srv/dl:/"
)
RESTIC = "services:\n  backup:\n    image: mazzolino/restic:1.8.0\n    volumes: ['/srv:/source:ro']\n    environment: "


@rule(
    "HL282",
    Severity.WARNING,
    "A key of Compose's among the variables",
    why="Indented one step too far it is a variable that no program reads, and Compose does nothing of what it says: "
    "no restart, no network, no check.",
    link=SERVICES,
    bad=f"{HEAD}    environment:\n      TZ: Europe/Berlin\n      restart: unless-stopped\n",
    good=f"{HEAD}    environment:\n      TZ: Europe/Berlin\n    restart: unless-stopped\n",
    needs="environment",
)
def key_as_variable(ctx: LintContext) -> Iterable[Finding]:
    """A lower-case name under ``environment`` or ``labels`` that is a key of services, and that the service has not."""
    for service in ctx.having("environment"):
        part = service.data["environment"]
        for key in part if isinstance(part, dict) else ():
            if key in _KEYS and key not in service.data:
                message = f"{key!r} stands under 'environment', so it is a variable; move it one step out."
                yield ctx.on(service, ("environment", key), message, key=True)


_KEYS = frozenset(
    {"restart", "container_name", "network_mode", "networks", "volumes", "depends_on", "healthcheck", "cap_add"}
    | {"cap_drop", "env_file", "security_opt", "extra_hosts", "privileged", "mem_limit", "shm_size", "read_only"}
    | {"stop_grace_period", "working_dir", "pull_policy", "labels", "logging", "deploy", "devices", "ports", "init"}
)


@rule(
    "HL283",
    Severity.WARNING,
    "What the program is there for, kept by nothing",
    why="The photographs, documents or pages go into a folder of the container that nothing of the host is mounted "
    "over: they are gone with the container, at the next update.",
    link=VOLUMES,
    bad=f"{PAPER}medias']\n",
    good=f"{PAPER}media']\n",
    needs="volumes",
)
def files_lost(ctx: LintContext) -> Iterable[Finding]:
    """Programs that keep their files beside their settings, with a mount elsewhere; an error for all photographs."""
    for service in ctx.having("volumes"):
        folders, variable, severity = _FILES.get(repository(service), ((), "", None))
        told = variable in service.environment or _told_in_files(service, variable)
        if not folders or told or service.partial or service.data.get("volumes_from"):
            continue
        targets = [m.target.rstrip("/") for m in service.mounts]
        if any(m.open for m in service.mounts) or any(_within(t, f) for t in targets for f in folders if t):
            continue
        best = _nearest(service, folders)
        where = best.path if best else ()
        what = "this is another folder" if best else "it goes with the container"
        yield ctx.on(service, where, f"Its files are in {folders[0]}: {what}.", severity=severity if best else None)


_FILES: dict[str, tuple[tuple[str, ...], str, Severity | None]] = {
    "immich-app/immich-server": (("/data", "/usr/src/app/upload"), "IMMICH_MEDIA_LOCATION", Severity.ERROR),
    "paperless-ngx/paperless-ngx": (("/usr/src/paperless/media",), "PAPERLESS_MEDIA_ROOT", None),
    "photoprism/photoprism": (("/photoprism/originals",), "PHOTOPRISM_ORIGINALS_PATH", None),
    "ghost": (("/var/lib/ghost/content",), "paths__contentPath", None),
}
"""Image -> (where its files may be, the variable that moves them); from each program's own compose file."""


def _told_in_files(service: ServiceView, variable: str) -> bool:
    """True when an env file sets the variable, or nobody can see whether it does."""
    said = said_in_files(service)
    return said is None or variable in said


def _within(target: str, folder: str) -> bool:
    return f"{target}/".startswith(f"{folder}/") or f"{folder}/".startswith(f"{target}/")


def _nearest(service: ServiceView, folders: tuple[str, ...]) -> Mount | None:
    def likeness(mount: Mount) -> float:
        same = posixpath.basename(mount.target.rstrip("/"))
        best = max(difflib.SequenceMatcher(None, mount.target, folder).ratio() for folder in folders)
        return 1.0 if any(same == posixpath.basename(folder) for folder in folders) else best

    able = [
        m for m in service.mounts if not m.read_only and m.kind in {"bind", "volume"} and m.target != kept_in(service)
    ]
    found = max(able, key=likeness, default=None)
    return found if found and likeness(found) > 0.8 else None


@rule(
    "HL284",
    Severity.WARNING,
    "Downloads that the next program finds under another path",
    why="The downloader says where a file lies in its own container; the one that is to import it looks at that very "
    "path in its own and finds nothing, unless a remote path mapping was set up by hand.",
    link="https://trash-guides.info/File-and-Folder-Structure/",
    bad=f"{ARR}data']\n",
    good=f"{ARR}downloads']\n",
    needs="volumes",
)
def other_path(ctx: LintContext) -> Iterable[Finding]:
    """One folder of the host that a downloader and an importer of the same stack mount at different paths."""
    for stack in ctx.lab.stacks:
        loaders = [s for s in stack.services if s.image_name in _LOADERS]
        for service in stack.services if loaders else ():
            if service.image_name not in _IMPORTERS or any(m.open for m in service.mounts):
                continue
            targets = {m.target.rstrip("/") for m in service.mounts}
            for mount in service.mounts:
                place = place_of(service, mount)
                for other in loaders if place else ():
                    at = {m.target.rstrip("/") for m in other.mounts if place_of(other, m) == place} - {"/config"}
                    if at and mount.target != "/config" and not at & targets:
                        yield ctx.on(service, mount.at("target"), f"{other.name!r} calls this folder {min(at)}.")
                        break


_LOADERS = frozenset({"qbittorrent", "transmission", "deluge", "sabnzbd", "nzbget", "rutorrent", "qbittorrent-nox"})
_IMPORTERS = frozenset({"sonarr", "radarr", "lidarr", "readarr", "whisparr"})


@rule(
    "HL285",
    Severity.WARNING,
    "A backup of a folder that is empty",
    why="The backup runs, says that all is well, and has nothing in it: one finds out on the day it is needed.",
    link="https://github.com/djmaze/resticker#configuration-options",
    bad=f"{RESTIC}{{RESTIC_BACKUP_SOURCES: /data}}\n",
    good=f"{RESTIC}{{RESTIC_BACKUP_SOURCES: /source}}\n",
    needs="environment",
)
def empty_source(ctx: LintContext) -> Iterable[Finding]:
    """``RESTIC_BACKUP_SOURCES`` or ``BACKUP_SOURCES`` at a path of the container where nothing is mounted."""
    for service in ctx.having("environment"):
        if service.partial or service.data.get("volumes_from") or any(m.open for m in service.mounts):
            continue
        targets = [m.target.rstrip("/") or "/" for m in service.mounts if not m.target.endswith(".sock")]
        for entry, source in _sources(service):
            if targets and not any(t == "/" or _within(t, source) for t in targets):
                yield ctx.on(service, entry.path, f"Nothing is mounted at {source}; there is {targets[0]}.")


def _sources(service: ServiceView) -> Iterator[tuple[Entry, str]]:
    name = _SOURCES.get(service.image_name, "")
    entry = service.environment.get(name)
    if entry is not None and not entry.open:
        for word in re.split(r"[\s,;]+", entry.value or ""):
            if word.startswith("/") and word != "/" and not set("*$") & set(word):
                yield entry, word.rstrip("/")


_SOURCES = {
    "restic": "RESTIC_BACKUP_SOURCES",
    "resticker": "RESTIC_BACKUP_SOURCES",
    "docker-volume-backup": "BACKUP_SOURCES",
}
"""Image -> the variable (the README of djmaze/resticker; offen/docker-volume-backup's reference)."""
