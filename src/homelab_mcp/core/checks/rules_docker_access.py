"""HL260, HL261: programs that command Docker and cannot reach it, and paths of the host that do not exist."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.alike import near_host
from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import OWN, host_in, meet
from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

HEAD = "services:\n  dozzle:\n    image: amir20/dozzle:v8.14.0\n"


@rule(
    "HL260",
    Severity.WARNING,
    "A program without the Docker that it works on",
    why="It talks to Docker through /var/run/docker.sock or DOCKER_HOST: without either it ends at the start, or shows "
    "nothing.",
    link="https://docs.docker.com/engine/daemon/remote-access/",
    bad=HEAD,
    good=f"{HEAD}    environment: {{DOCKER_HOST: 'tcp://socket-proxy:2375'}}\n"
    "  socket-proxy:\n    image: tecnativa/docker-socket-proxy:v0.4.1\n    environment: {CONTAINERS: 1}\n"
    "    volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']\n",
)
def without_docker(ctx: LintContext) -> Iterable[Finding]:
    """Well-known programs of Docker without socket and address, and a ``DOCKER_HOST`` that nobody answers to."""
    for service in ctx.services():
        entry = service.environment.get("DOCKER_HOST")
        host = host_in(entry.value or "")[0] if entry and not entry.open else ""
        if entry and host and "." not in host and host not in OWN and not service.partial:
            yield from _nobody(ctx, service, host, entry.path)
        elif entry is None and repository(service) in _NEED and not _reaches(service):
            yield ctx.on(service, (), "It has neither /var/run/docker.sock nor DOCKER_HOST.")


def _nobody(ctx: LintContext, service: ServiceView, host: str, path: Path) -> Iterator[Finding]:
    known = ctx.lab.hosts.get(host, [])
    if not known and ctx.lab.whole and not _elsewhere(service):
        near = near_host(ctx.lab, host, 0.7)
        tail = f" Did you mean {near!r}?" if near else ""
        severity = Severity.ERROR if near else None
        yield ctx.on(service, path, f"No container is called {host!r}.{tail}", severity=severity)
    elif known and service.stack.services[1:] and not any(meet(service, k, ctx.lab) for k in known):
        yield ctx.on(service, path, f"{host!r} is on none of its networks.")


def _elsewhere(service: ServiceView) -> bool:
    """True where a name may be told in another way."""
    return any(service.data.get(f) for f in ("extra_hosts", "links", "external_links")) or service.network_mode != ""


def _reaches(service: ServiceView) -> bool:
    words = " ".join(words_of(service, "command"))
    told = any("DOCKER" in k.upper() or "docker" in (e.value or "") for k, e in service.environment.items())
    socket = any(
        m.open or "docker.sock" in m.target or "docker.sock" in m.source or m.target in _ABOVE for m in service.mounts
    )
    unseen = service.partial or service.data.get("env_file") or service.data.get("volumes_from")
    return socket or told or bool(unseen) or "tcp://" in words or "--remote" in words


_ABOVE = frozenset({"/var/run", "/run", "/"})
_NEED = frozenset(
    {"amir20/dozzle", "containrrr/watchtower", "nicholas-fedor/watchtower", "louislam/dockge", "mcuadros/ofelia"}
    | {"tecnativa/docker-socket-proxy", "linuxserver/socket-proxy", "willfarrell/autoheal", "sablierapp/sablier"}
    | {"portainer/agent", "fnsys/dockhand", "getarcaneapp/manager"}
)
"""Programs that do nothing without Docker (each program's own documentation; most have an entry in the catalog)."""


@rule(
    "HL261",
    Severity.WARNING,
    "A path of the host that is nearly a well-known one",
    why="Docker makes an empty folder of a mount that is not there, and refuses a device that is not: the container "
    "gets nothing of what was meant, or does not start.",
    link="https://docs.docker.com/engine/storage/bind-mounts/",
    bad=f"{HEAD}    volumes: ['/var/run/docker.socket:/var/run/docker.sock']\n",
    good=f"{HEAD}    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n",
)
def nearly_a_path(ctx: LintContext) -> Iterable[Finding]:
    """Mounts and devices whose path is a letter or two off the socket, the clock or a well-known device."""
    for service in ctx.services():
        for mount in service.mounts:
            if mount.kind == "bind" and mount.source.startswith("/") and not mount.open:
                yield from _near(ctx, service, mount.source, mount.at("source"), _PATHS, mount.target)
        yield from _not_given(ctx, service)
        devices = service.data.get("devices")
        for n, item in enumerate(devices if isinstance(devices, list) else ()):
            if isinstance(item, str) and not is_open(item):
                source, _, rest = item.partition(":")
                yield from _near(ctx, service, source, ("devices", n), _DEVICES, rest.partition(":")[0])


def _not_given(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    """Variables with a serial port or another device that the container does not have."""
    part = service.data.get("devices")
    devices = part if isinstance(part, list) else []
    open_one = any(is_open(d) or isinstance(d, dict) for d in devices)
    if open_one or service.partial or service.data.get("privileged") in (True, "true"):
        return
    given = [str(d).split(":")[1 if ":" in str(d) else 0] for d in devices]
    given += [m.target for m in service.mounts if m.target.startswith("/dev")]
    for key, entry in service.environment.items():
        text = (entry.value or "").strip()
        if not entry.open and _DEVICE.fullmatch(text) and not any(f"{text}/".startswith(f"{g}/") for g in given):
            yield ctx.on(service, entry.path, f"{key}: the container is given no device {text}.")


_DEVICE = re.compile(r"/dev/(?:tty(?:USB|ACM|AMA|S)[0-9]+|serial/\S+|video[0-9]+|dri/\S+|ser[0-9]+|kfd|snd/\S+)")


def _near(
    ctx: LintContext, service: ServiceView, source: str, path: Path, known: tuple[str, ...], target: str
) -> Iterator[Finding]:
    source = source.rstrip("/")
    if source in known or any(source.startswith(f"{k}/") for k in known) or source in _OTHERS:
        return
    bare = re.sub(r"[0-9]+$", "", source)
    if bare in {re.sub(r"[0-9]+$", "", k) for k in (*known, *_OTHERS)}:
        return
    if target in known:
        close = difflib.SequenceMatcher(None, source, target).ratio() >= 0.8
        near = [target] if close and source.rpartition("/")[0] == target.rpartition("/")[0] else []
    else:
        near = difflib.get_close_matches(source, known, n=1, cutoff=0.9)
    if near:
        severity = Severity.ERROR if known is _DEVICES else None
        yield ctx.on(service, path, f"There is no {source}. Did you mean {near[0]!r}?", severity=severity)


_PATHS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/etc/localtime",
    "/etc/timezone",
    "/lib/modules",
    "/etc/machine-id",
)
_DEVICES = (
    "/dev/dri",
    "/dev/net/tun",
    "/dev/kvm",
    "/dev/fuse",
    "/dev/snd",
    "/dev/bus/usb",
    "/dev/ttyUSB0",
    "/dev/ttyACM0",
    "/dev/video0",
    "/dev/kfd",
    "/dev/apex_0",
    "/dev/serial/by-id",
)
_OTHERS = frozenset({"/var/run/podman.sock", "/run/podman/podman.sock", "/dev/ttyAMA0", "/dev/ttyS0", "/dev/vchiq"})
