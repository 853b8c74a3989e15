"""HL300 to HL304: what is shown, logged or routed and leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

FILES = "https://doc.traefik.io/traefik/reference/install-configuration/providers/others/file/"
DASHBOARD = "https://doc.traefik.io/traefik/reference/install-configuration/api-dashboard/"
LOGS = "https://doc.traefik.io/traefik/reference/install-configuration/observability/logs-and-accesslogs/"
HOMEPAGE = "https://gethomepage.dev/configs/docker/"
PROXY = "services:\n  traefik:\n    image: traefik:v3.7.13\n    command: [--entrypoints.websecure.address=:443"
FILE_OF = (
    f"{PROXY}, --providers.file.directory=/d]\n    configs: [{{source: a, target: /d/a.yml}}]\nconfigs:\n  a:\n"
    "    content: |\n      http:\n"
)
ROUTE = "        routers:\n          nas: {rule: Host(`nas.example.org`), service: nas}\n        services:\n"
SERVER = "          nas: {loadBalancer: {servers: [{url: 'http://192.168.1.2'}]}}\n"


@rule(
    "HL300",
    Severity.WARNING,
    "Traefik's dashboard at a port that nothing listens on",
    why="Without --api.insecure=true nothing listens on port 8080: the route answers 502. The dashboard is the service "
    "api@internal, which needs no port.",
    link=DASHBOARD,
    bad=f"{PROXY}, --api.dashboard=true]\n    labels:\n"
    "      traefik.http.routers.traefik.rule: Host(`traefik.example.org`)\n"
    '      traefik.http.services.traefik.loadbalancer.server.port: "8080"\n',
    good=f"{PROXY}, --api.dashboard=true]\n    labels:\n"
    "      traefik.http.routers.traefik.rule: Host(`traefik.example.org`)\n"
    "      traefik.http.routers.traefik.service: api@internal\n",
)
def dead_dashboard(ctx: LintContext) -> Iterable[Finding]:
    """A server port in the labels of a Traefik whose options open no entry point on it."""
    static, traefik = tl.static_config(ctx.lab), ctx.lab.traefik
    if static is None or traefik is None or not static.complete:
        return
    if static.options.get("api.insecure", "").lower() == "true":
        return
    open_ports = {v.rpartition(":")[2].partition("/")[0] for k, v in static.options.items() if k.endswith(".address")}
    internal = {r.value("service").lower() for r in tl.routers(traefik)}
    for _, entry in tl.port_labels(traefik):
        port = (entry.value or "").strip()
        if port.isdigit() and port not in open_ports and internal != {"api@internal"}:
            message = f"Traefik does not listen on port {port}; its dashboard is the service api@internal."
            yield ctx.on(traefik, entry.path, message)


@rule(
    "HL301",
    Severity.WARNING,
    "Traefik's log in a file that goes with the container",
    why="docker logs shows nothing, nobody rotates the file, and it is gone when the container is made anew.",
    link=LOGS,
    bad=f"{PROXY}, --log.filepath=/var/log/traefik.log]\n",
    good=f"{PROXY}, --log.filepath=/logs/traefik.log]\n    volumes: ['./logs:/logs']\n",
)
def lost_log(ctx: LintContext) -> Iterable[Finding]:
    """``log.filepath`` or ``accesslog.filepath`` at a place that no mount covers."""
    static, traefik = tl.static_config(ctx.lab), ctx.lab.traefik
    if static is None or traefik is None or traefik.partial:
        return
    targets = [m.target.rstrip("/") for m in traefik.mounts]
    for option in ("log.filepath", "accesslog.filepath"):
        path = static.options.get(option, "")
        if not path.startswith("/") or path.startswith(("/dev/", "/proc/")) or "$" in path:
            continue
        if not any(path == t or path.startswith(f"{t}/") for t in targets):
            message = f"Nothing of the host is mounted where {path} is written."
            if static.file is not None:
                yield ctx.at(static.file, static.where[option], message)
            else:
                yield ctx.on(traefik, static.where[option], message)


@rule(
    "HL302",
    Severity.INFO,
    "A service in Traefik's files that no router leads to",
    why="It does nothing but show where machines are, and looks as if they were reachable.",
    link=FILES,
    bad=f"{FILE_OF}        services:\n{SERVER}",
    good=f"{FILE_OF}{ROUTE}{SERVER}",
)
def unused_service(ctx: LintContext) -> Iterable[Finding]:
    """A service of a dynamic file that no router, mirror, failover or error page of the lab names."""
    files = ctx.lab.traefik_files
    if not files.complete or not ctx.lab.labels_seen:
        return
    named = {r.value("service").lower() for r in tl.all_routers(ctx.lab)}
    for service in ctx.lab.routing:
        for part in ("services", "middlewares"):
            for _, option, entry in tl.http_labels(service, part):
                if option.rpartition(".")[2] in {"service", "fallback", "name"}:
                    named.add((entry.value or "").lower())
    for file in files.services:
        for name, path in file.defined("services"):
            if f"{name.lower()}@file" not in named and name.lower() not in named:
                yield ctx.on(file, path, f"No router leads to the service {name!r}.", key=True)


_PLACEHOLDER = re.compile(
    r"(?:^|[.@/_-])(?:your|my)[-_]?(?:domain|host|server|ip|name|site)|<[^>]*>|change[-_]?me|yourdomain|\bx{3,}\b",
    re.IGNORECASE,
)


@rule(
    "HL303",
    Severity.WARNING,
    "An address that nobody filled in",
    why="It is a manual's example, or lacks its host: what is sent there goes to nobody, or to a stranger.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/http/load-balancing/service/",
    bad=f"{FILE_OF}{ROUTE}          nas: {{loadBalancer: {{servers: [{{url: 'http://:8123'}}]}}}}\n",
    good=f"{FILE_OF}{ROUTE}{SERVER}",
)
def not_filled_in(ctx: LintContext) -> Iterable[Finding]:
    """A rule's host, a server's URL, a log-in's or dashboard's address with a placeholder in it, or without a host."""
    for service in ctx.lab.routing:
        for entry in _addresses(service):
            value = (entry.value or "").strip()
            if not value or (entry.open and "://." not in value):
                continue
            found = _PLACEHOLDER.search(value)
            if found:
                yield ctx.on(service, entry.path, f"{found[0].strip('./@-_')!r} is a manual's example.")
            elif "://" in value and not _host(value):
                yield ctx.on(service, entry.path, f"{value[:60]!r} has no host.")


def _addresses(service: ServiceView) -> Iterator[Entry]:
    for part, wanted in (("routers", ("rule",)), ("services", (".url",)), ("middlewares", (".address", ".sablierurl"))):
        for _, option, entry in tl.http_labels(service, part):
            if option.endswith(wanted):
                yield entry
    for key in ("homepage.href", "homepage.siteMonitor", "homepage.ping"):
        if not service.of_file and key in service.labels:
            yield service.labels[key]


def _host(url: str) -> str:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return "" if host.startswith(".") else host


@rule(
    "HL304",
    Severity.INFO,
    "An address that is shown and that no router answers to",
    why="Dockge or the dashboard offers it, and whoever follows it meets 404 page not found.",
    link=HOMEPAGE,
    bad="services:\n  web:\n    image: nginx:1.29\n    labels:\n"
    "      traefik.http.routers.web.rule: Host(`web.example.org`)\nx-dockge:\n  urls: ['https://web.box.example.org']\n",
    good="services:\n  web:\n    image: nginx:1.29\n    labels:\n"
    "      traefik.http.routers.web.rule: Host(`web.example.org`)\nx-dockge:\n  urls: ['https://web.example.org']\n",
)
def shown_in_vain(ctx: LintContext) -> Iterable[Finding]:
    """``x-dockge`` addresses and ``homepage.href`` below the domain of the lab's routers, at a host that none has."""
    routers = tl.all_routers(ctx.lab) if ctx.lab.labels_seen else ()
    if any(r.options.get("rule") is None or r.options["rule"].open or "HostRegexp" in r.value("rule") for r in routers):
        return
    hosts = {h for r in routers for h in r.hosts}
    zones = {h.partition(".")[2] for h in hosts if h.count(".") > 1}
    for stack in ctx.lab.stacks:
        urls = stack.section("x-dockge").get("urls")
        for n, url in enumerate(urls if isinstance(urls, list) else ()):
            host = _host(str(url)).lower()
            if any(host.endswith(f".{z}") for z in zones) and host not in hosts:
                yield ctx.at(stack, ("x-dockge", "urls", n), f"No router answers to {host}.")
    for service in ctx.services():
        entry = service.labels.get("homepage.href")
        host = _host(entry.value or "").lower() if entry and not entry.open else ""
        if entry and any(host.endswith(f".{z}") for z in zones) and host not in hosts:
            own = any(r.hosts for r in tl.routers(service))
            severity = Severity.WARNING if own else None
            yield ctx.on(service, entry.path, f"No router answers to {host}.", severity=severity)
