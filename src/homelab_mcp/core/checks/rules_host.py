"""HL170 to HL172: what a lab asks of its host: memory, and backups that cover its data."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_limits import byte_size, value_at
from homelab_mcp.core.checks.view import Mount, ServiceView
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

HEAD = "services:\n  web:\n    image: nginx:1.29\n"
BACKUP = "https://docs.docker.com/engine/storage/volumes/#back-up-restore-or-migrate-data-volumes"
_LIMIT: tuple[Path, ...] = (("mem_limit",), ("deploy", "resources", "limits", "memory"))
_RESERVED: tuple[Path, ...] = (("mem_reservation",), ("deploy", "resources", "reservations", "memory"))


def _asked(service: ServiceView, paths: tuple[Path, ...]) -> tuple[int, Path]:
    """Bytes a service asks for and where it says so; 0 where it does not."""
    for path in paths:
        size = byte_size(value_at(service.data, path))
        if size:
            return size, path
    return 0, ()


def _containers(service: ServiceView) -> int:
    """How many containers of it run after a plain ``up``."""
    count = service.data.get("scale", value_at(service.data, ("deploy", "replicas")))
    if service.profiles:
        return 0
    return count if type(count) is int and 0 <= count < 1000 else 1


def _shown(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB" if size >= 1024**3 else f"{size // 1024**2} MiB"


@rule(
    "HL170",
    Severity.WARNING,
    "More memory than the host has",
    why="A limit above the host's memory limits nothing: one leak takes the whole host down. Where all limits together "
    "are above it, that can happen with every service inside its own; reservations above it cannot be kept.",
    link="https://docs.docker.com/engine/containers/resource_constraints/",
    bad=f"{HEAD}    mem_limit: 4096g\n",
    good=f"{HEAD}    mem_limit: 256m\n",
)
def too_much_memory(ctx: LintContext) -> Iterable[Finding]:
    """A limit or reservation above the host's memory, or all together; silent where nobody asked the engine."""
    memory = ctx.lab.facts.memory
    if not memory:
        return
    for paths, what in ((_LIMIT, "limit"), (_RESERVED, "reservation")):
        total, most = 0, 0
        place: tuple[ServiceView, Path] | None = None
        for service in ctx.services():
            size, path = _asked(service, paths)
            if size > memory:
                message = f"The {what} {_shown(size)} is more than the host's {_shown(memory)}."
                yield ctx.on(service, path, message)
            elif size:
                total += size * _containers(service)
                if size > most and _containers(service):
                    most, place = size, (service, path)
        if place and total > memory:
            # Few services use all they may; twice the host's memory is more than hope.
            hopeless = what == "reservation" or total > 2 * memory
            message = f"All {what}s of the lab are {_shown(total)}, the host has {_shown(memory)}; this is the largest."
            yield ctx.on(place[0], place[1], message, severity=None if hopeless else Severity.INFO)


def _covered(path: str, backups: Iterable[str]) -> bool:
    whole = posixpath.normpath(path)
    return any(f"{whole}/".startswith(f"{posixpath.normpath(b).rstrip('/')}/") for b in backups)


def _data(mount: Mount) -> bool:
    """True for a mount whose content somebody would miss: writable, and no part of the host's system."""
    if mount.kind != "bind" or mount.read_only or mount.open or "$" in mount.source:
        return False
    source = posixpath.normpath(mount.source)
    if source.endswith((".sock", "/localtime", "/timezone")) or source == "/":
        return False
    return not any(f"{source}/".startswith(f"{folder}/") for folder in _SYSTEM)


_SYSTEM = ("/dev", "/proc", "/sys", "/run", "/var/run", "/tmp", "/var/tmp", "/var/log", "/lib", "/usr", "/boot")  # noqa: S108


@rule(
    "HL171",
    Severity.WARNING,
    "Data that no backup covers",
    why="The service writes to a folder of the host that lies neither in the lab's folder nor in one of the settings' "
    "backup_paths: it is gone with the disk. Move it, or add its folder there (and to the backup).",
    link=BACKUP,
    bad=f"{HEAD}    volumes: ['/opt/web:/data']\n",
    good=f"{HEAD}    volumes: ['./data:/data', '/etc/localtime:/etc/localtime:ro']\n",
)
def not_backed_up(ctx: LintContext) -> Iterable[Finding]:
    """A writable bind mount outside the lab and all backup paths; silent where nobody has said what is backed up."""
    backups = ctx.lab.facts.backup_paths
    if backups is None:
        return
    for service in ctx.having("volumes"):
        for mount in service.mounts:
            outside = mount.source.startswith(("/", "~"))
            if outside and _data(mount) and not _covered(mount.source, backups):
                yield ctx.on(service, mount.at("source"), f"No backup covers {mount.source!r}.")


@rule(
    "HL172",
    Severity.INFO,
    "Named volumes where the backup covers folders",
    why="Named volumes live below /var/lib/docker/volumes: a backup of folders passes them by, unless that folder is "
    "one of them. Told once a stack.",
    link=BACKUP,
    bad=f"{HEAD}    volumes: ['data:/data']\nvolumes:\n  data:\n",
    good=f"{HEAD}    volumes: ['./data:/data']\n",
)
def volumes_not_backed_up(ctx: LintContext) -> Iterable[Finding]:
    """The first writable named volume of a stack; silent where nobody has said what is backed up."""
    backups = ctx.lab.facts.backup_paths
    if backups is None or _covered("/var/lib/docker/volumes", backups):
        return
    for stack in ctx.lab.stacks:
        used = [(s, m) for s in stack.services for m in s.mounts if m.kind == "volume" and m.source and not m.read_only]
        kept = [(s, m) for s, m in used if not _elsewhere(stack.section("volumes").get(m.source), backups)]
        if kept:
            service, mount = kept[0]
            names = sorted({m.source for _, m in kept})
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            yield ctx.on(service, mount.at("source"), f"No backup covers the volume {mount.source!r}{more}.")


def _elsewhere(body: object, backups: Iterable[str]) -> bool:
    """True for a volume that is a folder a backup covers, or storage of another machine."""
    options = body.get("driver_opts") if isinstance(body, dict) else None
    if not isinstance(options, dict):
        return False
    device, kind = str(options.get("device") or ""), str(options.get("type") or "")
    return kind.startswith(("nfs", "cifs", "tmpfs")) or (device.startswith("/") and _covered(device, backups))
