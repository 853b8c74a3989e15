"""HL208 to HL212: names that mean something else in another stack, and hosts that cannot be reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.engine_networks import has, makes, silent
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import OWN, asked_hosts, host_in, meet, names_of, owner
from homelab_mcp.core.checks.images import is_database
from homelab_mcp.core.checks.rules_traefik import container_ports
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.core.compose_model import is_external, is_open
from homelab_mcp.model.finding import Finding, Severity

NETWORKING = "https://docs.docker.com/compose/how-tos/networking/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
PROXY = "services:\n  traefik:\n    image: traefik:v3.6.1\n"
AUTH = "  web:\n    image: nginx:1.29\n    labels:\n      traefik.http.middlewares.auth.forwardauth.address: "


@rule(
    "HL208",
    Severity.WARNING,
    "An address for Traefik that it cannot reach",
    why="Traefik asks from inside its container: it finds other containers by their names, on a network that both are "
    "on, at the port they listen on inside. 'localhost' is Traefik itself. Anything else ends in 502 Bad Gateway.",
    link=NETWORKING,
    bad=f"{PROXY}{AUTH}http://authelia:9091/api/authz/forward-auth\n",
    good=f"{PROXY}{AUTH}http://authelia:9091/api/authz/forward-auth\n"
    "  authelia:\n    image: authelia/authelia:4.39.4\n",
)
def unreachable(ctx: LintContext) -> Iterable[Finding]:
    """The host or port of a server in Traefik's files, or of a forwardAuth middleware, that no container has."""
    traefik = ctx.lab.traefik
    if traefik is None or traefik.network_mode or traefik.partial or not ctx.lab.whole:
        return
    known = ctx.lab.hosts
    alone = not any(owner(s, ctx.lab) is traefik for s in ctx.services() if s is not traefik)
    given = {str(item).replace("=", ":").partition(":")[0].lower() for item in _items(traefik, "extra_hosts")}
    for service, entry in _addresses(ctx):
        host, port = host_in(entry.value or "")
        if not host or entry.open or "$" in host or host in given:
            continue
        if host in OWN and alone:
            message = f"{host} is Traefik's own container, not the host."
            yield ctx.on(service, entry.path, message, severity=Severity.ERROR)
        elif "." in host or ":" in host or host in OWN:
            continue
        elif host not in known:
            yield ctx.on(service, entry.path, f"No service or container of the lab is called {host!r}.")
        elif not any(meet(traefik, s, ctx.lab) for s in known[host]):
            yield ctx.on(service, entry.path, f"{host!r} is on none of Traefik's networks.")
        elif len(known[host]) == 1 and (inside := _wrong_port(known[host][0], port)):
            message = f"{port} is the port on the host; the container listens on {inside}."
            yield ctx.on(service, entry.path, message, severity=Severity.ERROR)


def _addresses(ctx: LintContext) -> Iterator[tuple[ServiceView, Entry]]:
    for service in ctx.lab.routing:
        for _, option, entry in tl.http_labels(service, "middlewares"):
            if option == "forwardauth.address":
                yield service, entry
            elif option.endswith(".sablierurl") and host_in(entry.value or "")[0] in ctx.lab.hosts:
                # Of hosts that nobody has HL087 speaks.
                yield service, entry
        for _, option, entry in tl.http_labels(service, "services"):
            if option.startswith("loadbalancer.server") and option.endswith(".url"):
                yield service, entry
        for kind in ("tcp", "udp"):
            for _, option, entry in tl.stream_labels(service, kind, "services"):
                if option.startswith("loadbalancer.server") and option.endswith(".address"):
                    yield service, entry


def _wrong_port(service: ServiceView, port: int) -> int:
    """The container's port where this one is the host's, else 0."""
    if not port or service.network_mode or port in container_ports(service):
        return 0
    for _, published in service.published:
        if published.protocol == "tcp" and published.host and published.host[0] <= port <= published.host[1]:
            return published.container[0] + (port - published.host[0] if not published.picks else 0)
    return 0


@rule(
    "HL209",
    Severity.WARNING,
    "Another stack's network under a name that it has not",
    why="Compose calls a network project_key unless it has a 'name': under its key alone another stack does not find "
    "it, and does not start.",
    link="https://docs.docker.com/reference/compose-file/networks/#name",
    bad=f"{HEAD}    networks: [front]\nnetworks:\n  front: {{external: true, name: proxy}}\n  proxy: {{}}\n",
    good=f"{HEAD}    networks: [front]\nnetworks:\n  front: {{external: true, name: proxy}}\n"
    "  proxy: {name: proxy}\n",
)
def network_key(ctx: LintContext) -> Iterable[Finding]:
    """An external network called as a network's key, whose real name is another."""
    known = ctx.lab.facts.networks
    made: dict[tuple[str, str], tuple[str, str]] = {}
    real_names: set[tuple[str, str]] = set()
    for stack in ctx.lab.stacks:
        real_names |= {(stack.host, name) for name in makes(stack)}
        for key, body in stack.section("networks").items():
            if not is_external(body):
                made.setdefault((stack.host, key), (stack.real_network(key), stack.file))
    for stack in (s for s in ctx.lab.stacks if not silent(known, s)):
        for key, body in stack.section("networks").items():
            real = stack.real_network(key)
            there = (stack.host, real) in real_names or has(known, stack, real)
            if is_external(body) and (stack.host, real) in made and not there and "$" not in real:
                name, file = made[stack.host, real]
                message = f"The network {real!r} in {file} is called {name!r}: give it 'name: {real}' there."
                yield ctx.at(stack, ("networks", key), message, key=True)


@rule(
    "HL210",
    Severity.ERROR,
    "A container that is called otherwise",
    why="'container:' wants a container's name. A service's container is called as its container_name says, or "
    "project-service-1: the engine finds no other and the container does not start.",
    link="https://docs.docker.com/reference/compose-file/services/#network_mode",
    bad=f"{HEAD}    network_mode: container:vpn\n  vpn:\n    image: busybox:1.37\n    container_name: gluetun\n",
    good=f"{HEAD}    network_mode: container:gluetun\n  vpn:\n    image: busybox:1.37\n    container_name: gluetun\n",
)
def container_called(ctx: LintContext) -> Iterable[Finding]:
    """``network_mode``, ``pid`` or ``ipc`` of ``container:<x>`` where x is a service of the lab and no container."""
    containers = {str(s.data["container_name"]) for s in ctx.services() if s.data.get("container_name")}
    for service in ctx.services():
        for field in ("network_mode", "pid", "ipc"):
            value = service.data.get(field)
            if not isinstance(value, str) or is_open(value) or not value.startswith("container:"):
                continue
            name = value.partition(":")[2]
            meant = next((s for s in ctx.services() if s.name == name), None)
            if name in containers or not ctx.lab.whole or meant is None or is_open(meant.data.get("container_name")):
                continue
            real = meant.data.get("container_name") or f"{meant.stack.project}-{name}-1"
            yield ctx.on(service, (field,), f"The container of the service {name!r} is called {real!r}.")


@rule(
    "HL211",
    Severity.WARNING,
    "A host on none of its networks",
    why="Containers find each other by name only on a network that both are on, and never on the engine's default "
    "bridge. One that borrows another's network, or uses the host's, has no name of its own; from the host's network "
    "no container name is known.",
    link=NETWORKING,
    bad=f"{HEAD}    environment: {{API_URL: 'http://api:8080'}}\n    networks: [front]\n  api:\n"
    "    image: busybox:1.37\n    networks: [back]\nnetworks: {front: {}, back: {}}\n",
    good=f"{HEAD}    environment: {{API_URL: 'http://api:8080'}}\n    networks: [front]\n  api:\n"
    "    image: busybox:1.37\n    networks: [front]\nnetworks: {front: {}}\n",
)
def host_elsewhere(ctx: LintContext) -> Iterable[Finding]:
    """``*_HOST``, ``*_URL`` and the like that name a service or container of the lab which it cannot reach."""
    known = ctx.lab.hosts
    for service in ctx.services():
        given = {str(item).replace("=", ":").partition(":")[0].lower() for item in _items(service, "extra_hosts")}
        for host, entry in asked_hosts(service):
            found = known.get(host, [])
            if not found or service in found or host in given or service.partial or service.stack.partial:
                continue
            if service.network_mode == "host":
                message = f"On the host's network {host!r} is no name; ask localhost at a published port."
                here = any(s.stack is service.stack for s in found)
                yield ctx.on(service, entry.path, message, severity=Severity.ERROR if here else None)
                continue
            linked = service.data.get("links") or service.data.get("external_links")
            if service.network_mode == "bridge" and not linked:
                message = f"The default bridge knows no names: {host!r} is found on networks of Compose's only."
                yield ctx.on(service, entry.path, message)
                continue
            mine = owner(service, ctx.lab)
            if mine is None or any(owner(s, ctx.lab) is mine for s in found if s.network_mode):
                continue
            if all(s.network_mode for s in found):
                message = f"{host!r} has no network of its own ({found[0].network_mode}), so nobody finds that name."
                yield ctx.on(service, entry.path, message)
            elif not any(meet(service, s, ctx.lab) for s in found) and not _told_elsewhere(service, found):
                yield ctx.on(service, entry.path, f"{host!r} is on none of this service's networks.")


def _told_elsewhere(service: ServiceView, found: list[ServiceView]) -> bool:
    """True for a database of the same stack, which HL048 speaks of."""
    return any(s.stack is service.stack and is_database(s) for s in found)


def _items(service: ServiceView, field: str) -> list[Any]:
    part = service.data.get(field)
    return part if isinstance(part, list) else list(part) if isinstance(part, dict) else []


@rule(
    "HL212",
    Severity.WARNING,
    "A log-in page behind itself",
    why="The router of the log-in service goes through the middleware that asks this very service: whoever is not "
    "logged in is sent to a page that sends to itself.",
    link="https://www.authelia.com/integration/proxies/traefik/",
    bad=f"{PROXY}  authelia:\n    image: authelia/authelia:4.39.4\n    labels:\n"
    "      traefik.http.middlewares.auth.forwardauth.address: http://authelia:9091/api/authz/forward-auth\n"
    "      traefik.http.routers.auth.rule: Host(`auth.example.org`)\n"
    "      traefik.http.routers.auth.middlewares: auth@docker\n",
    good=f"{PROXY}  authelia:\n    image: authelia/authelia:4.39.4\n    labels:\n"
    "      traefik.http.middlewares.auth.forwardauth.address: http://authelia:9091/api/authz/forward-auth\n"
    "      traefik.http.routers.auth.rule: Host(`auth.example.org`)\n",
)
def behind_itself(ctx: LintContext) -> Iterable[Finding]:
    """A router to the host that a forwardAuth middleware of its own asks, in labels or in Traefik's files."""
    asks: dict[str, str] = {}
    chains: dict[str, list[str]] = {}
    for service in ctx.lab.routing:
        for name, option, entry in tl.http_labels(service, "middlewares"):
            full = f"{name.lower()}@{'file' if service.of_file else 'docker'}"
            if option == "forwardauth.address":
                asks[full] = host_in(entry.value or "")[0]
            elif option == "chain.middlewares":
                chains[full] = [m.strip() for m in (entry.value or "").split(",")]
    for router in tl.all_routers(ctx.lab):
        served = _served(ctx, router)
        for name in router.middlewares if asks else ():
            hosts = {asks[m] for m in _opened(name, chains, 0) if asks.get(m)}
            if hosts & served:
                message = f"{name!r} asks {sorted(hosts & served)[0]!r}, to which this router leads."
                severity = Severity.ERROR if _asks_for_itself(ctx, router) else None
                yield ctx.on(router.service, router.options["middlewares"].path, message, severity=severity)


def _asks_for_itself(ctx: LintContext, router: tl.Router) -> bool:
    """True when Authelia's own configuration was read and lets nobody through to the portal (policy bypass)."""
    hosts = set(router.hosts)
    for file in ctx.lab.authelia_files:
        control = file.data.get("access_control") if isinstance(file.data, dict) else None
        rules = control.get("rules") if isinstance(control, dict) else None
        if not isinstance(control, dict) or control.get("default_policy") == "bypass":
            return False
        for item in rules if isinstance(rules, list) else ():
            if isinstance(item, dict) and item.get("policy") == "bypass":
                domains = item.get("domain")
                named = {str(d).lower() for d in (domains if isinstance(domains, list) else [domains])}
                if named & hosts or any(d.startswith("*.") for d in named) or "domain_regex" in item:
                    return False
        return bool(hosts)
    return False


def _opened(name: str, chains: dict[str, list[str]], depth: int) -> Iterator[str]:
    full = (name if "@" in name else f"{name}@docker").lower()
    yield full
    for inner in chains.get(full, ()) if depth < 10 else ():
        yield from _opened(inner, chains, depth + 1)


def _served(ctx: LintContext, router: tl.Router) -> set[str]:
    """Host names of what a router leads to."""
    if not router.service.of_file:
        return names_of(router.service) if router.value("service").partition("@")[2] in {"", "docker"} else set()
    wanted = router.value("service").partition("@")[0]
    found = set()
    for service in ctx.lab.traefik_files.services:
        for name, option, entry in tl.http_labels(service, "services"):
            if name == wanted and option.endswith(".url"):
                found.add(host_in(entry.value or "")[0])
    return found
