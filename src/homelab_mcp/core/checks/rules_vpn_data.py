"""HL045 to HL048, HL057: VPN gateways and their clients, databases and who asks them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from homelab_mcp.core.checks.db_settings import Asked, asked, kind_of
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import CACHES, DATABASES, is_database, postgres_major
from homelab_mcp.core.checks.rules_db_setup import serves
from homelab_mcp.core.checks.rules_dependencies import dependencies
from homelab_mcp.core.checks.view import ServiceView, StackView
from homelab_mcp.core.compose_model import is_external, is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

GLUETUN = "https://github.com/qdm12/gluetun-wiki/blob/main/setup/connect-a-container-to-gluetun.md"
SERVICES = "https://docs.docker.com/reference/compose-file/services/"
VPN = "  vpn:\n    image: qmcgaw/gluetun:v3.40.0\n    cap_add: [NET_ADMIN]\n"
CLIENT = "services:\n  client:\n    image: nginx:1.29\n    network_mode: service:vpn\n"
DB = "  db:\n    image: mariadb:11.8\n    volumes: ['./db:/var/lib/mysql']\n"


@rule(
    "HL045",
    Severity.WARNING,
    "A VPN client that does not wait for a healthy gateway",
    why="Without depends_on with condition: service_healthy it starts before the tunnel stands, and stays without a "
    "network when the gateway is made anew.",
    link=GLUETUN,
    bad=f"{CLIENT}{VPN}",
    good=f"{CLIENT}    depends_on:\n      vpn: {{condition: service_healthy, restart: true}}\n{VPN}",
    needs="network_mode",
)
def not_gated(ctx: LintContext) -> Iterable[Finding]:
    """``network_mode: service:<gluetun>`` without ``service_healthy``."""
    for service in ctx.services():
        kind, _, name = service.network_mode.partition(":")
        owner = service.stack.service(name) if kind == "service" else None
        if owner and "gluetun" in owner.image_name and not service.partial:
            path, options = dependencies(service).get(name, (("network_mode",), {}))
            if options.get("condition") != "service_healthy":
                message = f"It does not wait until {name!r} is healthy (depends_on, condition: service_healthy)."
                yield ctx.on(service, path, message)


@rule(
    "HL046",
    Severity.ERROR,
    "A VPN gateway without its capability",
    why="gluetun and WireGuard set up an interface and routes; without NET_ADMIN they stop with an error.",
    link="https://github.com/qdm12/gluetun#setup",
    bad="services:\n  vpn:\n    image: qmcgaw/gluetun:v3.40.0\n",
    good=f"services:\n{VPN}",
)
def no_net_admin(ctx: LintContext) -> Iterable[Finding]:
    """A gluetun or WireGuard container without ``NET_ADMIN``."""
    for service in ctx.services():
        if service.image_name not in {"gluetun", "wireguard", "wg-easy"} or service.partial:
            continue
        part = service.data.get("cap_add")
        caps = {str(c).upper().removeprefix("CAP_") for c in part} if isinstance(part, list) else set()
        if not caps & {"NET_ADMIN", "ALL"} and service.data.get("privileged") not in (True, "true"):
            path: Path = ("cap_add",) if caps else ("image",) if "image" in service.data else ()
            yield ctx.on(service, path, "It needs cap_add: [NET_ADMIN].")


def _dedicated(service: ServiceView) -> bool:
    return service.image_name in DATABASES - CACHES


@rule(
    "HL047",
    Severity.WARNING,
    "A database that nobody asks",
    why="No other service of the stack names it, and no other stack shares a network with it: it is left over, or the "
    "service that should use it asks elsewhere.",
    link=f"{SERVICES}#depends_on",
    bad="services:\n  app:\n    image: linuxserver/bookstack:25.05.1\n    environment: {DB_HOST: other}\n" + DB,
    good="services:\n  app:\n    image: linuxserver/bookstack:25.05.1\n    environment: {DB_HOST: db}\n" + DB,
)
def orphan_database(ctx: LintContext) -> Iterable[Finding]:
    """A database on the stack's own networks that no other service's settings mention."""
    for stack in ctx.lab.stacks:
        if stack.partial:
            continue
        if all(is_database(s) for s in stack.services):
            yield from _left_over(ctx, stack)
            continue
        for db in stack.services:
            if (
                not _dedicated(db)
                or db.partial
                or not serves(db)
                or db.published
                or db.network_mode
                or _shared(ctx, db)
            ):
                continue
            names = {db.name, str(db.data.get("container_name") or ""), str(db.data.get("hostname") or "")} - {""}
            # What another database has in its files is its own; only a replica names the one it follows.
            others = [s for s in stack.services if s is not db]
            if not any(_names(s, names) if is_database(s) else _mentions(s, names) for s in others):
                yield ctx.on(db, (), "No other service of this stack names it.")


def _left_over(ctx: LintContext, stack: StackView) -> Iterable[Finding]:
    """Databases in a stack of their own that nothing in the whole lab names; only told where the lab has more."""
    others = [s for s in ctx.services() if not is_database(s)]
    for db in stack.services if others and ctx.lab.whole else ():
        names = {db.name, str(db.data.get("container_name") or ""), str(db.data.get("hostname") or "")} - {""}
        if not _dedicated(db) or db.partial or db.published or db.network_mode or not serves(db):
            continue
        if not _external_network(db) and not any(s.real_networks & db.real_networks for s in others):
            yield ctx.on(db, (), "It has no port, and no other service of the lab is on a network with it.")
            continue
        near = others if _external_network(db) else [s for s in others if s.real_networks & db.real_networks]
        if near and not any(_mentions(s, names) for s in near):
            yield ctx.on(db, (), "No service of the lab names it.", severity=Severity.INFO)


def _shared(ctx: LintContext, db: ServiceView) -> bool:
    """True when a service of another stack can reach it."""
    external = [b for k, b in db.stack.section("networks").items() if k in db.networks]
    if any(is_external(b) for b in external):
        return True
    return any(s.stack is not db.stack and s.real_networks & db.real_networks for s in ctx.lab.services)


def _names(service: ServiceView, names: set[str]) -> bool:
    text = repr([service.data.get("command"), service.data.get("environment"), service.data.get("depends_on")])
    return any(re.search(rf"(?<![\w.-]){re.escape(n)}(?![\w-])", text) for n in names)


def _mentions(service: ServiceView, names: set[str], *, sure: bool = False) -> bool:
    if sure:
        return any(each.host in names for each in asked(service))
    if service.data.get("env_file") or service.data.get("configs") or service.partial or service.data.get("build"):
        # What is in there nobody can see from here.
        return True
    text = repr({k: v for k, v in service.data.items() if k not in {"image", "container_name", "hostname"}})
    text += " ".join(e.raw for e in service.environment.values() if e.open)
    words = "|".join(re.escape(n) for n in names)
    return bool(re.search(rf"(?<![A-Za-z0-9_.-])(?:{words})(?![A-Za-z0-9_-])", text)) or bool(
        any(e.open for e in service.environment.values())
    )


@rule(
    "HL048",
    Severity.WARNING,
    "A database host that cannot be reached",
    why="Containers find each other by service name on a network that both are on; anything else is an unknown host.",
    link="https://docs.docker.com/compose/how-tos/networking/",
    bad="services:\n  app:\n    image: linuxserver/bookstack:25.05.1\n    environment: {DB_HOST: bookstack_db}\n" + DB,
    good="services:\n  app:\n    image: linuxserver/bookstack:25.05.1\n    environment: {DB_HOST: db}\n" + DB,
)
def unknown_host(ctx: LintContext) -> Iterable[Finding]:
    """A database host in a variable that is no service, or is out of reach; only in stacks with a database.

    An error where nothing else can be meant: a name next to a real one, or a database that nobody asks.
    """
    for service in ctx.services():
        stack = service.stack
        if stack.partial or service.partial or service.network_mode or not any(map(is_database, stack.services)):
            continue
        for each in asked(service):
            target = _named(ctx, stack, each.host)
            unseen = not ctx.lab.whole and target is None and each.host != "localhost" and _external_network(service)
            if unseen or each.host in _given_hosts(service):
                continue
            if each.host == "localhost":
                if meant := _meant(service, each):
                    yield ctx.on(service, each.entry.path, meant, severity=Severity.ERROR)
            elif target is None:
                if not _external_network(service):
                    names = [s.name for s in stack.services]
                    near = difflib.get_close_matches(each.host, names, n=1) if len(each.host) > 3 else []
                    tail = f" Did you mean {near[0]!r}?" if near else ""
                    message = f"No service or container is called {each.host!r}.{tail}"
                    sure = near or _alone(service, each.kind) or _by_program(service, each.host)
                    yield ctx.on(service, each.entry.path, message, severity=Severity.ERROR if sure else None)
                elif (own := _alone(service, each.kind)) and own.real_networks & service.real_networks:
                    message = f"No service or container of the lab is called {each.host!r}; {own.name!r} is there."
                    yield ctx.on(service, each.entry.path, message, severity=Severity.ERROR)
            elif target.stack is stack and not target.network_mode and not target.real_networks & service.real_networks:
                message = f"{each.host!r} is on none of this service's networks."
                if left := _lonely(target, service):
                    message = f"Nobody else is on {left[-1]!r}: {service.name!r}, who asks it, is elsewhere."
                    yield ctx.on(target, left, message, severity=Severity.ERROR)
                    continue
                yield ctx.on(service, each.entry.path, message, severity=Severity.ERROR)


def _by_program(service: ServiceView, host: str) -> bool:
    """True for a program's name as the host, where one database is of its kind under another name."""
    meant = [s for s in service.stack.services if s.image_name == host]
    return host in DATABASES and len(meant) == 1


def _meant(service: ServiceView, each: Asked) -> str:
    """Why localhost is wrong: there is one database that is meant, or another service of the image asks one by name."""
    if own := _alone(service, each.kind):
        return f"localhost is this container itself; the database is {own.name!r}."
    for other in service.stack.services:
        entry = other.environment.get(each.entry.key)
        alike = other is not service and other.image and other.image == service.image
        if alike and entry and service.stack.service(entry.value or "") is not None:
            return f"localhost is this container itself; {other.name!r}, of the same image, asks {entry.value!r}."
    return ""


def _lonely(target: ServiceView, service: ServiceView) -> Path:
    """Where a database names its one network, when nobody else is on it and the service that asks is among others."""
    rest = [s for s in service.stack.services if s not in (target, service)]
    own, external = list(target.networks.items()), _external_network(target)
    if len(own) != 1 or external or any(s.real_networks & target.real_networks for s in rest):
        return ()
    return own[0][1] if any(s.real_networks & service.real_networks for s in rest) else ()


def _alone(service: ServiceView, kind: str) -> ServiceView | None:
    """The one database of the stack that a service can mean, when nobody names it."""
    found = [
        s for s in service.stack.services if is_database(s) and (kind_of(s) == kind or (not kind and _dedicated(s)))
    ]
    if len(found) != 1:
        return None
    names = {found[0].name, str(found[0].data.get("container_name") or "")} - {""}
    return (
        None if any(_mentions(s, names, sure=True) for s in service.stack.services if s is not found[0]) else found[0]
    )


def _items(service: ServiceView, field: str) -> list[Any]:
    part = service.data.get(field)
    return part if isinstance(part, list) else list(part) if isinstance(part, dict) else []


def _given_hosts(service: ServiceView) -> set[str]:
    """Host names that ``extra_hosts`` and ``external_links`` give it."""
    hosts = {re.split("[:=]", str(item))[0] for item in _items(service, "extra_hosts")}
    return hosts | {str(item).rpartition(":")[2] for item in _items(service, "external_links")}


def _external_network(service: ServiceView) -> bool:
    bodies = [b for k, b in service.stack.section("networks").items() if k in service.networks]
    return any(is_external(b) for b in bodies)


def _named(ctx: LintContext, stack: StackView, name: str) -> ServiceView | None:
    for service in [*stack.services, *ctx.lab.services]:
        words = {service.name, str(service.data.get("container_name")), str(service.data.get("hostname"))}
        networks = service.data.get("networks")
        for options in networks.values() if isinstance(networks, dict) else ():
            aliases = options.get("aliases") if isinstance(options, dict) else None
            words |= {a for a in aliases if isinstance(a, str)} if isinstance(aliases, list) else set()
        words |= {str(item).rpartition(":")[2] for item in _items(service, "links")}
        # Compose's own container names: project-service-1, with '_' in older releases.
        made = rf".+[_-]{re.escape(service.name)}[_-][0-9]+"
        if name in {str(w) for w in words if w} or (service.stack is stack and re.fullmatch(made, name)):
            return service
    return None


@rule(
    "HL057",
    Severity.ERROR,
    "PostgreSQL 18 on the old data path",
    why="From 18 on the official image keeps its data one level higher and stops at the start when something is "
    "mounted at /var/lib/postgresql/data; without that check the data would be lost with the container.",
    link="https://github.com/docker-library/postgres/pull/1259",
    bad="services:\n  db:\n    image: postgres:18.1\n    volumes: ['./db:/var/lib/postgresql/data']\n",
    good="services:\n  db:\n    image: postgres:18.1\n    volumes: ['./db:/var/lib/postgresql']\n",
)
def postgres_path(ctx: LintContext) -> Iterable[Finding]:
    """``postgres:18`` or later with a volume at the path of 17, and no PGDATA of its own."""
    for service in ctx.services():
        known = service.image_name != "timescaledb"
        if not known or postgres_major(service) < 18 or "PGDATA" in service.environment:
            continue
        for mount in service.mounts:
            if mount.target.rstrip("/") == "/var/lib/postgresql/data" and not is_open(mount.target):
                yield ctx.on(service, mount.at("target"), "PostgreSQL 18 wants the volume at /var/lib/postgresql.")
