"""HL213 to HL217: ports in one namespace, sleeping databases, labels and data where nobody looks for them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import asked_hosts, owner
from homelab_mcp.core.checks.images import CACHES, is_database
from homelab_mcp.core.checks.listening import checked_ports, listens
from homelab_mcp.core.checks.rules_dependencies import dependencies
from homelab_mcp.core.checks.rules_lazy import groups_of, is_lazy
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
VPN = "services:\n  vpn:\n    image: qmcgaw/gluetun:v3.40.0\n    cap_add: [NET_ADMIN]\n"
TORRENT = "  torrent:\n    image: linuxserver/qbittorrent:5.1.2\n    network_mode: service:vpn\n"


@rule(
    "HL213",
    Severity.WARNING,
    "One port twice in one network namespace",
    why="Containers that share a network (network_mode) share its ports: the second that listens on one fails.",
    link=f"{SERVICES}#network_mode",
    bad=f"{VPN}{TORRENT}  usenet:\n    image: linuxserver/sabnzbd:4.5.3\n    network_mode: service:vpn\n",
    good=f"{VPN}{TORRENT}    environment: {{WEBUI_PORT: '8090'}}\n"
    "  usenet:\n    image: linuxserver/sabnzbd:4.5.3\n    network_mode: service:vpn\n",
    needs="network_mode",
)
def port_shared(ctx: LintContext) -> Iterable[Finding]:
    """Two services of one namespace with one port, by their variables, port labels or well-known images."""
    shared: dict[int, list[ServiceView]] = {}
    for service in ctx.services():
        keeper = owner(service, ctx.lab)
        if keeper is not None and not service.partial:
            shared.setdefault(id(keeper), []).append(service)
    yield from _on_the_host(ctx)
    for services in shared.values():
        seen: dict[int, ServiceView] = {}
        for service in sorted(services, key=lambda s: bool(s.network_mode)) if len(services) > 1 else ():
            for port, path in listens(service).items():
                other = seen.setdefault(port, service)
                if other is not service and service.is_beside(other):
                    message = f"{other.name!r}, in the same network, listens on {port} too."
                    sure = all(listens(s)[port] or port in checked_ports(s) for s in (service, other))
                    severity = Severity.ERROR if sure else None
                    yield ctx.on(service, path or ("network_mode",), message, severity=severity)


def _on_the_host(ctx: LintContext) -> Iterator[Finding]:
    """A published port that a service on the host's own network listens on already."""
    taken: dict[int, ServiceView] = {}
    for service in ctx.services():
        if service.network_mode == "host":
            taken.update(dict.fromkeys(listens(service), service))
    for service in ctx.services() if taken else ():
        for entry, published in service.published:
            port = published.host[0] if published.host and not published.picks else 0
            other = taken.get(port)
            if other is not None and published.protocol == "tcp" and service.is_beside(other):
                message = f"{other.name!r} uses the host's network and listens on {port} there."
                yield ctx.on(service, entry.at("published"), message)


@rule(
    "HL214",
    Severity.WARNING,
    "A database that sleeps while it is needed",
    why="Sablier stops a database when nobody visits its group: a service that stays awake, or sleeps in another, "
    "then finds no database.",
    link="https://sablierapp.dev/",
    bad=f"{HEAD}    depends_on: [db]\n  db:\n    image: postgres:17.2\n    labels: ['sablier.enable=true']\n",
    good=f"{HEAD}    depends_on: [db]\n    labels: ['sablier.enable=true', 'sablier.group=web']\n"
    "  db:\n    image: postgres:17.2\n    labels: ['sablier.enable=true', 'sablier.group=web']\n",
)
def sleeping_database(ctx: LintContext) -> Iterable[Finding]:
    """``sablier.enable`` on a database that a service outside its Sablier group depends on or names as a host."""
    asleep = [s for s in ctx.services() if is_lazy(s) and is_database(s)]
    known = ctx.lab.hosts if asleep else {}
    for database in asleep:
        for service in ctx.services():
            waits = service.stack is database.stack and database.name in dependencies(service)
            asks = any(database in known.get(host, ()) for host, _ in asked_hosts(service))
            if service is database or not (waits or asks):
                continue
            if is_lazy(service) and set(groups_of(service)) & set(groups_of(database)):
                continue
            how = "sleeps in another group" if is_lazy(service) else "stays awake"
            entry = database.labels["sablier.enable"]
            yield ctx.on(database, entry.path, f"{service.name!r} needs this database and {how}.")
            break


@rule(
    "HL215",
    Severity.WARNING,
    "Traefik's labels under deploy",
    why="deploy.labels belong to a Swarm service. Traefik's Docker provider reads the container's own labels and never "
    "sees these: no route is made.",
    link="https://docs.docker.com/reference/compose-file/deploy/#labels",
    bad=f"{HEAD}    deploy:\n      labels:\n        traefik.enable: 'true'\n",
    good=f"{HEAD}    labels:\n      traefik.enable: 'true'\n",
)
def deploy_labels(ctx: LintContext) -> Iterable[Finding]:
    """``traefik.`` labels in ``deploy.labels`` of a stack that is not plainly Swarm's."""
    static = tl.static_config(ctx.lab)
    if static and any("swarm" in option for option in static.options):
        return
    for service in ctx.services():
        deploy = service.data.get("deploy")
        labels = deploy.get("labels") if isinstance(deploy, dict) else None
        if not isinstance(deploy, dict) or (static is None and _SWARM & set(deploy)):
            continue
        keys = list(labels) if isinstance(labels, dict) else labels if isinstance(labels, list) else []
        at = [n for n, key in enumerate(keys) if str(key).lower().startswith("traefik.")]
        if at and not any(key.lower().startswith("traefik.") for key in service.labels):
            step: str | int = at[0] if isinstance(labels, list) else str(keys[at[0]])
            message = "Traefik reads the labels of the service itself, not those of 'deploy'."
            yield ctx.on(service, ("deploy", "labels", step), message, key=isinstance(labels, dict))


_SWARM = frozenset(["mode", "placement", "endpoint_mode", "update_config", "rollback_config"])


@rule(
    "HL216",
    Severity.WARNING,
    "Data in a folder that is emptied",
    why="After a reboot /tmp, /run and /dev/shm are empty, and many systems clear /tmp in between: the data is gone.",
    link="https://refspecs.linuxfoundation.org/FHS_3.0/fhs/ch03s18.html",
    bad="services:\n  db:\n    image: postgres:17.2\n    volumes: ['/tmp/db:/var/lib/postgresql/data']\n",
    good="services:\n  db:\n    image: postgres:17.2\n    volumes: ['./db:/var/lib/postgresql/data']\n",
)
def fleeting_data(ctx: LintContext) -> Iterable[Finding]:
    """Data or settings mounted from ``/tmp``, ``/run`` or ``/dev/shm``, or that ``PGDATA`` puts there."""
    for service in ctx.services():
        database = is_database(service) and service.image_name not in CACHES
        for mount in service.mounts:
            if mount.kind != "bind" or mount.open or not _is_fleeting(mount.source):
                continue
            inside = _is_fleeting(mount.target) or mount.target.endswith(".sock")
            if (
                not inside
                and not mount.read_only
                and (database or (_LASTING.search(mount.target) and service.image_name not in CACHES))
            ):
                yield ctx.on(service, mount.at("source"), f"{mount.source} is empty after a reboot.")
        if not database:
            continue
        entry = service.environment.get("PGDATA")
        covered = entry and any(m.target and (entry.value or "").startswith(m.target) for m in service.mounts)
        if entry and not entry.open and _is_fleeting(entry.value or "") and not covered:
            yield ctx.on(service, entry.path, f"{entry.value} is no place that lasts.")


_LASTING = re.compile(r"(?:^|/)(?:config|data|db|database|storage|library|uploads?|appdata|settings)/?$|^/var/lib/")


def _is_fleeting(path: str) -> bool:
    if path[:1] != "/" or not path.startswith(("/tmp", "/dev/shm", "/run", "/var/run", "//", "/.")):  # noqa: S108
        return False
    whole = posixpath.normpath(path) if path.startswith("/") else ""
    return any(whole == f or whole.startswith(f"{f}/") for f in ("/tmp", "/dev/shm", "/run", "/var/run"))  # noqa: S108


@rule(
    "HL217",
    Severity.WARNING,
    "A secret or config that something else covers",
    why="Where a volume and a secret or config have one place in the container Compose takes the volume and says "
    "nothing; of two configs in one place it takes the last.",
    link=f"{SERVICES}#configs",
    bad=f"{HEAD}    volumes: ['./a.conf:/etc/a.conf']\n    configs: [{{source: a, target: /etc/a.conf}}]\n"
    "configs:\n  a: {content: x}\n",
    good=f"{HEAD}    configs: [{{source: a, target: /etc/a.conf}}]\nconfigs:\n  a: {{content: x}}\n",
    needs="secrets configs",
)
def covered(ctx: LintContext) -> Iterable[Finding]:
    """A secret or config whose target is a volume's, or that of one further down."""
    for service in ctx.services():
        volumes = {m.target.rstrip("/") for m in service.mounts if m.target and not m.open}
        parts = list(_files_of(service))
        for n, (target, path) in enumerate(parts):
            if target in volumes:
                yield ctx.on(service, path, f"{target!r} is a volume's place: this one is not there.")
            elif any(target == later for later, _ in parts[n + 1 :]):
                yield ctx.on(service, path, f"{target!r} is also the place of one further down: this one is not there.")


def _files_of(service: ServiceView) -> Iterator[tuple[str, Path]]:
    """Places in the container of its secrets and configs, in Compose's order: configs go last."""
    for field, folder in (("secrets", "/run/secrets"), ("configs", "/")):
        part = service.data.get(field)
        for n, item in enumerate(part if isinstance(part, list) else ()):
            name = item.get("target") or item.get("source") if isinstance(item, dict) else item
            if isinstance(name, str) and not is_open(name):
                yield posixpath.join(folder, name).rstrip("/"), (field, n)
