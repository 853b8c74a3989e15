"""HL262 to HL264: ports by the wrong protocol, and the host by a name that it does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import host_in
from homelab_mcp.core.checks.listening import known_ports, main_port
from homelab_mcp.core.checks.ports_syntax import Published
from homelab_mcp.core.checks.rules_traefik import PORT_LIKE
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

PORTS = "https://docs.docker.com/reference/compose-file/services/#ports"
VPN = "services:\n  vpn:\n    image: linuxserver/wireguard:1.0.20250521\n    cap_add: [NET_ADMIN]\n"
HEAD = "services:\n  app:\n    image: example/app:1.2.0\n"
API = "  sonarr:\n    image: linuxserver/sonarr:4.0.15\n    volumes: ['./sonarr:/config']\n"


@rule(
    "HL262",
    Severity.WARNING,
    "A port published by the wrong protocol",
    why="'ports' means TCP unless it says '/udp'. WireGuard, DNS and their like are asked by UDP, web pages by TCP: "
    "by the other one nobody gets through.",
    link=PORTS,
    bad=f"{VPN}    ports: ['51820:51820']\n",
    good=f"{VPN}    ports: ['51820:51820/udp']\n",
    needs="ports",
)
def other_protocol(ctx: LintContext) -> Iterable[Finding]:
    """Well-known UDP ports that are published by TCP alone, and a well-known page's port by UDP alone."""
    for service in ctx.having("ports"):
        by: dict[str, set[int]] = {"tcp": set(), "udp": set()}
        for _, published in service.published:
            by.setdefault(published.protocol, set()).update(_inside(published))
        for entry, published in service.published:
            for port in _inside(published):
                if published.protocol == "tcp" and port in _UDP and port not in by["udp"]:
                    message = f"{_UDP[port]} is asked by UDP, and port {port} is published by TCP alone."
                    sure = service.image_name in _BY_UDP.get(port, ())
                    yield ctx.on(service, entry.at("protocol"), message, severity=Severity.ERROR if sure else None)
                elif published.protocol == "udp" and port == main_port(service) and port not in by["tcp"]:
                    message = f"{service.image_name} is asked by TCP, and port {port} is published by UDP alone."
                    yield ctx.on(service, entry.at("protocol"), message)


_UDP = {
    51820: "WireGuard",
    53: "DNS",
    67: "DHCP",
    69: "TFTP",
    123: "NTP",
    19132: "Minecraft Bedrock",
    41641: "Tailscale",
}
"""Ports of services that are asked by UDP, of DNS first of all (IANA's list; each program's documentation)."""


_BY_UDP = {
    51820: ("wireguard", "wg-easy"),
    53: ("pihole", "adguardhome", "dns-server"),
    19132: ("minecraft-bedrock-server",),
}
"""Programs that are there for nothing else."""


def _inside(published: Published) -> range:
    first, last = published.container
    return range(first, min(last, first + 50) + 1)


@rule(
    "HL263",
    Severity.WARNING,
    "A page that speaks HTTP, asked by HTTPS",
    why="Inside Docker's networks well-known programs listen without TLS: asked by https:// they answer nothing that "
    "the other side could read.",
    link="https://docs.docker.com/compose/how-tos/networking/",
    bad=f"{HEAD}    environment: {{SONARR_URL: 'https://sonarr:8989'}}\n{API}",
    good=f"{HEAD}    environment: {{SONARR_URL: 'http://sonarr:8989'}}\n{API}",
)
def asked_by_tls(ctx: LintContext) -> Iterable[Finding]:
    """``https`` to a container of a well-known image at the port of its page, in variables and labels."""
    known = ctx.lab.hosts
    yield from _in_files(ctx)
    for service in ctx.services():
        labels = [e for k, e in service.other_labels if k.startswith("homepage.")]
        for entry in [*service.environment.values(), *labels]:
            text = entry.value or ""
            if "https://" not in text[:8] or entry.open:
                continue
            host, port = host_in(text.strip())
            for other in known.get(host, ())[:1]:
                if port and port == main_port(other) and port in known_ports(other) and not _has_tls(other):
                    yield ctx.on(service, entry.path, f"{host!r} speaks HTTP on {port}: http://{host}:{port}.")
        ports = {name.lower(): (e.value or "").strip() for name, e in tl.port_labels(service)}
        for name, option, entry in tl.http_labels(service, "services"):
            inside = ports.get(name.lower(), "") if option == "loadbalancer.server.scheme" else ""
            told = (
                (entry.value or "").lower() == "https" and bool(PORT_LIKE.fullmatch(inside)) and not _has_tls(service)
            )
            if told and int(inside) == main_port(service) and int(inside) in known_ports(service):
                yield ctx.on(service, entry.path, f"{service.image_name} speaks HTTP on {inside}.")


def _in_files(ctx: LintContext) -> Iterator[Finding]:
    """The same in Homepage's files."""
    for service, file in ctx.lab.config_files:
        lines = file.text.splitlines() if service.image_name == "homepage" else ()
        for number, line in enumerate(lines, start=1):
            match = re.search(r"https://([A-Za-z][\w-]*):([0-9]{2,5})(?![0-9])", line)
            if match is None or line.lstrip().startswith("#"):
                continue
            for other in ctx.lab.hosts.get(match[1].lower(), ())[:1]:
                port = int(match[2])
                if port == main_port(other) and port in known_ports(other) and not _has_tls(other):
                    place, mark = file.place(number, match.start() + 1)
                    finding = ctx.on(service, (), f"{match[1]!r} speaks HTTP on {port}: http://{match[1]}:{port}.")
                    yield replace(finding, file=place, line=mark.line, column=mark.column)


def _has_tls(service: ServiceView) -> bool:
    words = ("TLS", "SSL", "HTTPS", "CERT")
    return any(w in k.upper() for k in service.environment for w in words) or bool(service.data.get("command"))


@rule(
    "HL264",
    Severity.WARNING,
    "The host by a name that it does not have",
    why="Docker Desktop knows host.docker.internal; on Linux a container knows it only with extra_hosts: "
    "['host.docker.internal:host-gateway'].",
    link="https://docs.docker.com/reference/compose-file/services/#extra_hosts",
    bad=f"{HEAD}    environment: {{OLLAMA_URL: 'http://host.docker.internal:11434'}}\n",
    good=f"{HEAD}    environment: {{OLLAMA_URL: 'http://host.docker.internal:11434'}}\n"
    "    extra_hosts: ['host.docker.internal:host-gateway']\n",
)
def unknown_host(ctx: LintContext) -> Iterable[Finding]:
    """``host.docker.internal`` in a variable, a label or the command of a service without an entry for it."""
    for service in ctx.services():
        if service.partial or service.network_mode:
            continue
        part = service.data.get("extra_hosts")
        items = [str(i) for i in part] if isinstance(part, list | dict) else []
        if any(i.partition("=")[0].partition(":")[0] == "host.docker.internal" for i in items):
            continue
        for entry in _told(service):
            yield ctx.on(service, entry.path, f"{entry.key}: nobody tells it where host.docker.internal is.")
        part = service.data.get("command")
        for n, word in enumerate(part if isinstance(part, list) else ()):
            if "host.docker.internal" in str(word):
                yield ctx.on(service, ("command", n), "Nobody tells it where host.docker.internal is.")


def _told(service: ServiceView) -> list[Entry]:
    return [e for e in service.environment.values() if e.value and _INTERNAL.search(e.value)]


_INTERNAL = re.compile(r"(?:^|[/@,\s])host\.docker\.internal\b")
