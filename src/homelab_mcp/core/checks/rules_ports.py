"""HL040 to HL049: published ports and names that are unique on a host."""

from __future__ import annotations

import re
from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import DATABASE_PORTS, is_database
from homelab_mcp.core.checks.ports_syntax import Published
from homelab_mcp.core.checks.view import PortEntry, ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

PORTS = "https://docs.docker.com/reference/compose-file/services/#ports"
_INSTEAD = "leave it out, or bind it to 127.0.0.1."
ROUTED = (
    "    labels:\n      traefik.enable: 'true'\n      traefik.http.routers.web.rule: Host(`web.example.org`)\n"
    "      traefik.http.services.web.loadbalancer.server.port: '80'\n"
)
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


@rule(
    "HL040",
    Severity.ERROR,
    "Not a port",
    why="Compose refuses the file.",
    link=PORTS,
    bad=f"{HEAD}    ports: ['80:99999']\n",
    good=f"{HEAD}    ports: ['8080:80']\n",
    needs="ports expose",
)
def bad_port(ctx: LintContext) -> Iterable[Finding]:
    """A port, range, address or protocol that Compose cannot read."""
    for service in ctx.services():
        for entry in service.ports:
            if entry.problem:
                yield ctx.on(service, entry.at(entry.field), f"{entry.problem[0].upper()}{entry.problem[1:]}")
            elif entry.published and entry.published.container[0] == 0:
                yield ctx.on(service, entry.at("target"), "Port 0 of the container is no port.")
        ports = service.data.get("ports")
        for n, item in enumerate(ports if isinstance(ports, list) else ()):
            mode = item.get("mode") if isinstance(item, dict) else None
            if mode not in (None, "host", "ingress") and not is_open(mode):
                path: Path = ("ports", n, "mode")
                yield ctx.on(service, path, "A mode is host or ingress.", severity=Severity.WARNING)
        exposed = service.data.get("expose")
        for n, item in enumerate(exposed if isinstance(exposed, list) else ()):
            if not is_open(item) and not _is_exposed(str(item)):
                message = "'expose' takes the container's port only, such as 80 or 8000-8010/udp."
                yield ctx.on(service, ("expose", n), message, severity=Severity.WARNING)


_EXPOSED = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(?:tcp|udp|sctp))?")


def _is_exposed(text: str) -> bool:
    match = _EXPOSED.fullmatch(text)
    return 0 < int(match[1]) <= int(match[2] or match[1]) < 65536 if match else False


@rule(
    "HL041",
    Severity.ERROR,
    "A host port published twice",
    why="Only one container can have a host port; the second does not start.",
    link="https://docs.docker.com/engine/network/port-publishing/",
    bad=f"{HEAD}    ports: ['8080:80']\n  more:\n    image: nginx:1.29\n    ports: ['8080:81']\n",
    good=f"{HEAD}    ports: ['8080:80']\n  more:\n    image: nginx:1.29\n    ports: ['8081:81']\n",
    needs="ports",
)
def port_twice(ctx: LintContext) -> Iterable[Finding]:
    """Two services of the lab publish one host port (ranges, protocol and address considered)."""
    by_port: dict[int, list[tuple[ServiceView, PortEntry, Published]]] = {}
    for service in ctx.services():
        if service.network_mode == "host":
            continue
        for entry, published in service.published:
            if not published.host or published.picks:
                continue
            first, last = published.host
            # A collision shows at the first port of one of the two ranges, so wide ranges need no more than a scan.
            by_port.setdefault(first, []).append((service, entry, published))
            for port in range(first + 1, min(last, first + 2000) + 1):
                by_port.setdefault(port, []).append((service, entry, published))
    told: set[tuple[int, int]] = set()
    for users in by_port.values():
        for n, (service, entry, published) in enumerate(users):
            for other, other_entry, other_published in users[:n]:
                pair = (id(entry), id(other_entry))
                if pair in told or not published.collides(other_published) or not service.is_beside(other):
                    continue
                told.add(pair)
                # Of items that are the very same Compose takes one.
                same = other is service and published == other_published
                message = _taken(published, service, other, other_published)
                severity = Severity.WARNING if same else None
                yield ctx.on(service, entry.at("published"), message, severity=severity)
                if other.stack is not service.stack:
                    message = _taken(other_published, other, service, published)
                    yield ctx.on(other, other_entry.at("published"), message)


def _taken(mine: Published, me: ServiceView, other: ServiceView, theirs: Published) -> str:
    where = f"{other.name!r} of the same file" if other.stack is me.stack else f"{other.name!r} in {other.stack.file}"
    if other is me:
        where = "this service itself, above"
    return f"Host port {mine.shown} is also published by {where} ({theirs.shown})."


@rule(
    "HL042",
    Severity.ERROR,
    "A container name taken twice",
    why="Container names are unique on a host, whatever the stack; the second does not start.",
    link="https://docs.docker.com/reference/compose-file/services/#container_name",
    bad=f"{HEAD}    container_name: app\n  more:\n    image: nginx:1.29\n    container_name: app\n",
    good=f"{HEAD}    container_name: app\n  more:\n    image: nginx:1.29\n    container_name: more\n",
)
def container_name_twice(ctx: LintContext) -> Iterable[Finding]:
    """Two services of the lab have one ``container_name``."""
    first: dict[str, ServiceView] = {}
    for service in ctx.services():
        name = service.data.get("container_name")
        if not isinstance(name, str) or not name or is_open(name):
            continue
        other = first.setdefault(str(name), service)
        if other is not service and service.is_beside(other):
            where = "this file" if other.stack is service.stack else other.stack.file
            yield ctx.on(service, ("container_name",), f"The name {str(name)!r} is taken by {other.name!r} in {where}.")
            if other.stack is not service.stack:
                message = f"The name {str(name)!r} is also taken by {service.name!r} in {service.stack.file}."
                yield ctx.on(other, ("container_name",), message)


@rule(
    "HL043",
    Severity.WARNING,
    "A database open to the network",
    why="Docker's published ports go round the host's firewall: anyone who reaches the host reaches the database. "
    "Other containers need no published port.",
    link="https://docs.docker.com/engine/network/packet-filtering-firewalls/",
    bad="services:\n  db:\n    image: postgres:17.2\n    ports: ['5432:5432']\n",
    good="services:\n  db:\n    image: postgres:17.2\n    ports: ['127.0.0.1:5432:5432']\n",
    needs="ports",
)
def open_database(ctx: LintContext) -> Iterable[Finding]:
    """A database's port published on every address; of other images the ports that are databases' alone."""
    for service in ctx.having("ports"):
        for entry, published in service.published:
            first, last = published.container
            by_port = first == last and first in DATABASE_PORTS and published.protocol == "tcp"
            by_port = by_port and (first != 9200 or service.image_name not in _PAGE_ON_9200)
            if published.everywhere and (by_port or is_database(service)):
                message = f"{published.shown} is open to every network; {_INSTEAD}"
                yield ctx.on(service, entry.at("published"), message)


_PAGE_ON_9200 = frozenset({"ocis", "opencloud", "opencloud-rolling"})


@rule(
    "HL044",
    Severity.WARNING,
    "A way round the proxy",
    why="The service is routed by Traefik, but its web port is published as well: there it answers without TLS and "
    "without log-in, and past the host's firewall.",
    link="https://docs.docker.com/engine/network/packet-filtering-firewalls/",
    bad=f"{HEAD}    ports: ['8080:80']\n{ROUTED}",
    good=f"{HEAD}{ROUTED}",
    needs="ports",
)
def round_the_proxy(ctx: LintContext) -> Iterable[Finding]:
    """A routed service that publishes its web port on every address."""
    for service in ctx.services():
        if not service.routed or service.image_name == "traefik":
            continue
        web = {e.value for k, e in service.labels.items() if k.lower().endswith(".loadbalancer.server.port")}
        for entry, published in service.published:
            first, last = published.container
            hosts = {str(published.host[0])} if published.host else set()
            reached = {str(first)} | hosts if first == last else set()
            if (
                published.everywhere
                and published.protocol == "tcp"
                and (reached & web or (not web and len(service.published) == 1))
            ):
                message = f"{published.shown} goes round Traefik; leave it out or bind it to 127.0.0.1."
                yield ctx.on(service, entry.at("published"), message)
