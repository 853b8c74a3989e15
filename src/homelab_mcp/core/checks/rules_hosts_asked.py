"""HL268, HL269: hosts that nobody has, in variables and in the files that a program is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from homelab_mcp.core.checks.alike import near_host
from homelab_mcp.core.checks.config_files import ConfigFile
from homelab_mcp.core.checks.db_settings import kind_of
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import OWN, host_in, meet, names_of, outward, owner
from homelab_mcp.core.checks.images import is_database
from homelab_mcp.core.checks.listening import known_ports, listens, main_port, port_variables
from homelab_mcp.core.checks.rules_own_address import given_hosts
from homelab_mcp.core.checks.rules_traefik import container_ports
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

NETWORKING = "https://docs.docker.com/compose/how-tos/networking/"
APP = "services:\n  app:\n    image: example/app:1.2.0\n"
MQTT = "  mosquitto:\n    image: eclipse-mosquitto:2.0.22\n"


@rule(
    "HL268",
    Severity.WARNING,
    "A host that no container has",
    why="Containers find each other by the service's or the container's name. localhost is the container itself, and "
    "any other name is nobody's.",
    link=NETWORKING,
    bad=f"{APP}    environment: {{MQTT_SERVER: 'mqtt://mqtt:1883'}}\n{MQTT}",
    good=f"{APP}    environment: {{MQTT_SERVER: 'mqtt://mosquitto:1883'}}\n{MQTT}",
)
def nobodys_host(ctx: LintContext) -> Iterable[Finding]:
    """Addresses in variables with a simple name that no container has, or with localhost where another is meant."""
    for service in ctx.services():
        if service.network_mode or service.partial or service.stack.partial or not service.stack.services[1:]:
            continue
        seen = ctx.lab.whole or not outward(service)
        for entry in service.environment.values():
            text = (entry.value or "").strip()
            if entry.open or ":" not in text or not _ADDRESS.fullmatch(text):
                continue
            host, port = host_in(text)
            if host in OWN:
                yield from _itself(ctx, service, entry, port)
            elif host and "." not in host and not host.isdigit() and host not in ctx.lab.hosts and seen:
                yield from _nobody(ctx, service, entry, host, port)


_ADDRESS = re.compile(
    r"(?:(?:https?|wss?|mqtts?|amqp|tcp|nats|grpc|ldaps?)://)?[A-Za-z0-9][\w.-]*(?::[0-9]{2,5})?(?:/\S*)?"
)
_SEEN_OUTSIDE = re.compile(
    r"ORIGIN|CORS|PUBLIC|EXTERNAL|REDIRECT|CALLBACK|ROOT_URL|BASE_?URL|SITE_?URL|APP_URL|DOMAIN|FRONTEND|ALLOWED|HEALTH"
    r"|LISTEN|BIND|NEXTAUTH|SERVER_URL|WEB_?URL|HOMEPAGE|ADVERTISE|HOST_URL|ROOT_HOST|TRUSTED",
    re.IGNORECASE,
)
"""Variables with the address that a browser or the program itself uses."""


def _itself(ctx: LintContext, service: ServiceView, entry: Entry, port: int) -> Iterator[Finding]:
    if _SEEN_OUTSIDE.search(entry.key) or not port or port in container_ports(service):
        return
    own = {*listens(service), main_port(service), *(int(e.value or 0) for e in port_variables(service) if _is_int(e))}
    if port in own or any(o.network_mode == f"service:{service.name}" for o in service.stack.services):
        return
    for other in service.stack.services:
        if other is service or not meet(service, other, ctx.lab) or other.network_mode:
            continue
        named = len(other.name) > 3 and other.name.lower().replace("-", "_") in entry.key.lower()
        if named or port == main_port(other) or port in container_ports(other):
            message = f"localhost is {service.name!r} itself. Did you mean {other.name!r}?"
            yield ctx.on(service, entry.path, f"{entry.key}: {message}", severity=Severity.ERROR)
            return


def _is_int(entry: Entry) -> bool:
    return bool(re.fullmatch("[0-9]{1,9}", entry.value or ""))


def _nobody(ctx: LintContext, service: ServiceView, entry: Entry, host: str, port: int) -> Iterator[Finding]:
    if host in given_hosts(service) or "://" not in (entry.value or "") or entry.key == "DOCKER_HOST":
        return
    if near_host(ctx.lab, host, 0.8):
        return  # HL237 speaks of it.
    others = [s for s in service.stack.services if s is not service and meet(service, s, ctx.lab)]
    fitting = [s for s in others if port not in _COMMON and (port == main_port(s) or port in container_ports(s))]
    named = [s for s in others if _says(s.name, host) or _says(s.image_name, host)]
    sure = len(fitting) == 1
    meant = fitting if sure else named if len(named) == 1 else []
    if meant and not is_database(meant[0]) and not kind_of(meant[0]):
        message = f"No container is called {host!r}. Did you mean {meant[0].name!r}?"
        # A name alone may be a machine's that the neighbour is about: nas beside nas-backup, pve beside pve-exporter.
        yield ctx.on(service, entry.path, f"{entry.key}: {message}", severity=Severity.ERROR if sure else None)
    elif not meant and not outward(service):
        # The house's own name server may know it.
        message = f"{entry.key}: no container on its networks is called {host!r}."
        yield ctx.on(service, entry.path, message, severity=Severity.INFO)


def _says(name: str, host: str) -> bool:
    """True when a container's or an image's name has the host's among its words, or is the same but for dashes."""
    words, wanted = (re.split(r"[-_.]+", text.lower()) for text in (name, host))
    return "".join(words) == "".join(wanted) or f"-{'-'.join(wanted)}-" in f"-{'-'.join(words)}-"


_COMMON = frozenset({0, 80, 443, 3000, 5000, 8000, 8080, 8081, 8443, 9000})
"""Ports that tell nothing of who is meant."""


@rule(
    "HL269",
    Severity.WARNING,
    "A file that asks a host that no container has",
    why="The program reads its file, asks a name that nobody answers to, and shows or does nothing of it.",
    link=NETWORKING,
    bad="services:\n  prometheus:\n    image: prom/prometheus:v3.5.0\n    configs: [{source: p, target: "
    "/etc/prometheus/prometheus.yml}]\n    volumes: ['data:/prometheus']\n  node-exporter:\n"
    "    image: prom/node-exporter:v1.9.1\nvolumes: {data: }\nconfigs:\n  p:\n    content: |\n"
    "      scrape_configs: [{job_name: n, static_configs: [{targets: ['node_exporter:9100']}]}]\n",
    good="services:\n  prometheus:\n    image: prom/prometheus:v3.5.0\n    configs: [{source: p, target: "
    "/etc/prometheus/prometheus.yml}]\n    volumes: ['data:/prometheus']\n  node-exporter:\n"
    "    image: prom/node-exporter:v1.9.1\nvolumes: {data: }\nconfigs:\n  p:\n    content: |\n"
    "      scrape_configs: [{job_name: n, static_configs: [{targets: ['node-exporter:9100']}]}]\n",
)
def files_host(ctx: LintContext) -> Iterable[Finding]:
    """Simple host names that no container has, in the configuration of well-known programs as far as it is read."""
    known = ctx.lab.hosts
    for service, file in ctx.lab.config_files:
        given = given_hosts(service)
        for host, line, column, text in _asked(service, file):
            if "." in host or host in OWN or host in given or host.isdigit():
                continue
            if host in known:
                message = _out_of_reach(ctx, service, host) or _other_port(ctx, known[host], text)
                if message:
                    finding = ctx.on(service, (), message)
                    place, mark = file.place(line, column)
                    yield replace(finding, file=place, line=mark.line, column=mark.column)
                continue
            near = near_host(ctx.lab, host, 0.7) if ctx.lab.whole or not outward(service) else ""
            if near or not outward(service):
                tail = f" Did you mean {near!r}?" if near else ""
                finding = ctx.on(service, (), f"No container is called {host!r}.{tail}")
                place, mark = file.place(line, column)
                yield replace(finding, file=place, line=mark.line, column=mark.column)


def _lenders(ctx: LintContext) -> set[str]:
    """Names of those whose network another service uses; worked out once."""
    known: set[str] | None = ctx.lab.memo.get("lenders")
    if known is None:
        known = {s.network_mode.rpartition(":")[2] for s in ctx.services() if ":" in s.network_mode}
        ctx.lab.memo["lenders"] = known
    return known


def _other_port(ctx: LintContext, meant: list[ServiceView], text: str) -> str:
    """Where a well-known image listens unless it is told otherwise, against the port in an address."""
    match = re.match(r"[\w-]+:([0-9]{2,5})(?![0-9])", text)
    if match is None or len(meant) != 1 or meant[0].partial or meant[0].data.get("command"):
        return ""
    other, port = meant[0], int(match[1])
    told = {int(e.value or 0) for e in port_variables(other) if _is_int(e)}
    heard = {main_port(other), *listens(other), *container_ports(other), *told, *known_ports(other)}
    if not main_port(other) or port in heard or not _lenders(ctx).isdisjoint(names_of(other)):
        return ""
    return f"{other.name!r} listens on {main_port(other)}, not on {port}."


def _out_of_reach(ctx: LintContext, service: ServiceView, host: str) -> str:
    """Why a container of the lab does not answer to its name; "" where one does, or nobody can tell."""
    meant = ctx.lab.hosts[host]
    if service.network_mode or service.partial or any(s.partial or s.stack.host != service.stack.host for s in meant):
        return ""
    first = owner(meant[0], ctx.lab)
    if all(s.network_mode.startswith(("service:", "container:")) for s in meant):
        return f"{host!r} has no network of its own: it answers as {first.name!r}." if first else ""
    return "" if any(meet(service, s, ctx.lab) for s in meant) else f"{host!r} is on none of its networks."


def _asked(service: ServiceView, file: ConfigFile) -> Iterator[tuple[str, int, int, str]]:
    """(host, line, column, the line from there on) of every address in the file, comments aside."""
    plain = _PLAIN.get(service.image_name)
    for number, text in enumerate(file.text.splitlines(), start=1):
        if text.lstrip().startswith(("#", ";", "//")) or "{{" in text:
            continue
        for pattern in (_URL, plain) if plain else (_URL,):
            for match in pattern.finditer(text):
                yield match.group(1).lower(), number, match.start(1) + 1, text[match.start(1) :]


_URL = re.compile(
    r"\b(?:https?|tcp|mqtts?|rediss?|postgres(?:ql)?|amqp|ws)://(?:[^\s/@'\"]*@)?([A-Za-z][\w-]*)(?=[:/'\"\s,;]|$)"
)
_PLAIN = {
    "prometheus": re.compile(r"[\[\s,'\"]([A-Za-z][\w-]*):[0-9]{2,5}(?=['\"\s,\]]|$)"),
    "caddy": re.compile(r"\breverse_proxy\s+(?:/\S*\s+)?([A-Za-z][\w-]*):[0-9]{2,5}\b"),
}
