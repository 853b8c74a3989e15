"""HL030 to HL034: services that lean on other services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import is_database
from homelab_mcp.core.checks.view import ServiceView, StackView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://docs.docker.com/reference/compose-file/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


def dependencies(service: ServiceView) -> dict[str, tuple[Path, dict[str, Any]]]:
    """``depends_on`` -> where, and its options."""
    part = service.data.get("depends_on")
    if isinstance(part, list):
        return {str(name): (("depends_on", n), {}) for n, name in enumerate(part)}
    if isinstance(part, dict):
        return {str(k): (("depends_on", k), v if isinstance(v, dict) else {}) for k, v in part.items()}
    return {}


@rule(
    "HL030",
    Severity.ERROR,
    "depends_on a service that is not there",
    why="Compose refuses the file.",
    link=f"{DOCS}services/#depends_on",
    bad=f"{HEAD}    depends_on: [db]\n",
    good=f"{HEAD}    depends_on: [db]\n  db:\n    image: postgres:17.2\n",
    needs="depends_on",
)
def missing_dependency(ctx: LintContext) -> Iterable[Finding]:
    """``depends_on`` names no service of the file; ``required: false`` only helps one that a profile leaves out."""
    for service in ctx.services():
        if service.stack.partial:
            continue
        for name, (path, _) in dependencies(service).items():
            if service.stack.service(name) is None and name:
                yield ctx.on(service, path, f"There is no service {name!r} in this file.", key=True)


@rule(
    "HL031",
    Severity.ERROR,
    "Services that wait for each other",
    why="Compose refuses a circle of dependencies: none of them could start first.",
    link=f"{DOCS}services/#depends_on",
    bad="services:\n  a:\n    image: x:1.0\n    depends_on: [b]\n  b:\n    image: x:1.0\n    depends_on: [a]\n",
    good="services:\n  a:\n    image: x:1.0\n    depends_on: [b]\n  b:\n    image: x:1.0\n",
)
def circle(ctx: LintContext) -> Iterable[Finding]:
    """A circle of ``depends_on``, links and shared networks."""
    for stack in ctx.lab.stacks:
        graph = {s.name: [n for n in _needs(s) if stack.service(n)] for s in stack.services}
        for names in _circles(graph):
            # A database has nobody to wait for: of a circle with one that is the link that is wrong.
            at = next((n for n, name in enumerate(names) if _is_database(stack, name)), 0)
            first = stack.service(names[at])
            if first:
                way = " -> ".join([*names, names[0]])
                path = _needs(first)[names[(at + 1) % len(names)]]
                yield ctx.on(first, path, f"These wait for each other: {way}.", key=True)


def _is_database(stack: StackView, name: str) -> bool:
    service = stack.service(name)
    return service is not None and is_database(service)


def _needs(service: ServiceView) -> dict[str, Path]:
    """What must be there before it can start -> where it says so."""
    needs = {name: path for name, (path, _) in dependencies(service).items()}
    for field in ("network_mode", "pid", "ipc"):
        value = service.data.get(field)
        if isinstance(value, str) and value.startswith("service:"):
            needs.setdefault(value.partition(":")[2], (field,))
    for field in ("links", "volumes_from"):
        part = service.data.get(field)
        for n, item in enumerate(part if isinstance(part, list) else ()):
            if isinstance(item, str) and not item.startswith("container:"):
                needs.setdefault(item.partition(":")[0], (field, n))
    return needs


def _circles(graph: dict[str, list[str]]) -> Iterator[list[str]]:
    done: set[str] = set()
    for start in graph:
        way: list[str] = []
        stack: list[tuple[str, int]] = [(start, 0)] if start not in done else []
        while stack:
            name, at = stack.pop()
            if at == 0:
                way.append(name)
            if at < len(graph[name]):
                stack.append((name, at + 1))
                then = graph[name][at]
                if then in way:
                    yield way[way.index(then) :]
                elif then not in done:
                    stack.append((then, 0))
            else:
                done.add(way.pop())


@rule(
    "HL032",
    Severity.WARNING,
    "Waits for a health that nobody checks",
    why="Without a health check the dependency never becomes healthy, and Compose gives up, unless its image brings "
    "a check of its own.",
    link=f"{DOCS}services/#depends_on",
    bad=f"{HEAD}    depends_on:\n      db:\n        condition: service_healthy\n  db:\n    image: postgres:17.2\n",
    good=f"{HEAD}    depends_on:\n      db:\n        condition: service_healthy\n  db:\n    image: postgres:17.2\n"
    "    healthcheck:\n      test: [CMD, pg_isready]\n",
    needs="depends_on",
)
def unhealthy_dependency(ctx: LintContext) -> Iterable[Finding]:
    """``service_healthy`` on a service without (or with a disabled) health check."""
    for service in ctx.services():
        for name, (path, options) in dependencies(service).items():
            other = service.stack.service(name)
            if options.get("condition") != "service_healthy" or other is None or other.partial:
                continue
            check = other.data.get("healthcheck")
            off = isinstance(check, dict) and (check.get("disable") is True or check.get("test") in ("NONE", ["NONE"]))
            if off or not (check or _checks_itself(other)):
                yield ctx.on(
                    service,
                    (*path, "condition"),
                    f"It waits until {name!r} is healthy, which has no health check here.",
                    severity=Severity.ERROR if off or _has_none(other) else None,
                )


_CHECK_THEMSELVES = frozenset(
    {"authelia", "gluetun", "immich-machine-learning", "immich-server", "jellyfin", "minecraft-server"}
    | {"paperless-ngx", "pihole", "pms-docker", "uptime-kuma"}
)
"""Images that are known to bring a health check (HEALTHCHECK in their Dockerfiles)."""


_CHECK_NOTHING = frozenset(
    {"redis", "postgres", "mariadb", "mysql", "mongo", "memcached", "rabbitmq", "influxdb", "elasticsearch", "couchdb"}
    | {"nginx", "httpd", "caddy", "traefik", "alpine", "busybox", "debian", "ubuntu", "node", "python"}
    | {"valkey/valkey", "eclipse-mosquitto", "linuxserver/mariadb", "pgvector/pgvector", "postgis/postgis"}
)
"""Repositories of Docker Hub that are known to bring none (no HEALTHCHECK in their Dockerfiles)."""


def _has_none(service: ServiceView) -> bool:
    repository = service.image.partition("@")[0].lower()
    if ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]
    for prefix in ("docker.io/", "lscr.io/", "library/"):
        repository = repository.removeprefix(prefix)
    return repository in _CHECK_NOTHING and not service.data.get("build")


def _checks_itself(service: ServiceView) -> bool:
    image = str(service.data.get("image") or "")
    return service.image_name in _CHECK_THEMSELVES or "immich-app/postgres" in image or "vaultwarden/server" in image


@rule(
    "HL033",
    Severity.ERROR,
    "network_mode of a service that is not there",
    why="Compose refuses the file.",
    link=f"{DOCS}services/#network_mode",
    bad=f"{HEAD}    network_mode: service:vpn\n",
    good=f"{HEAD}    network_mode: service:vpn\n  vpn:\n    image: qmcgaw/gluetun:v3.40.0\n    cap_add: [NET_ADMIN]\n",
    needs="network_mode",
)
def missing_network_owner(ctx: LintContext) -> Iterable[Finding]:
    """``network_mode: service:x`` without an x in the file."""
    for service in ctx.services():
        kind, _, name = service.network_mode.partition(":")
        if (
            kind == "service"
            and not service.stack.partial
            and not is_open(service.data["network_mode"])
            and service.stack.service(name) is None
        ):
            yield ctx.on(service, ("network_mode",), f"There is no service {name!r} in this file.")


@rule(
    "HL034",
    Severity.ERROR,
    "network_mode together with networks or ports",
    why="A container that borrows another's network has none of its own: Compose refuses 'networks' beside it, the "
    "engine refuses 'ports'. Publish the ports on the container whose network it is.",
    link=f"{DOCS}services/#network_mode",
    bad=f"{HEAD}    network_mode: host\n    networks: [front]\nnetworks:\n  front:\n",
    good=f"{HEAD}    network_mode: host\n",
    needs="network_mode",
)
def network_mode_conflict(ctx: LintContext) -> Iterable[Finding]:
    """``network_mode`` beside ``networks``, or beside ``ports`` where the network is borrowed."""
    for service in ctx.services():
        mode = service.network_mode
        if not mode:
            continue
        if service.data.get("networks"):
            yield ctx.on(service, ("networks",), f"'networks' cannot stand beside 'network_mode: {mode}'.", key=True)
        if service.data.get("ports"):
            borrowed = mode.startswith(("service:", "container:"))
            if borrowed:
                message = f"'ports' cannot stand beside 'network_mode: {mode}'; publish them on the network's owner."
                yield ctx.on(service, ("ports",), message, key=True)
            elif mode == "host":
                yield ctx.on(
                    service,
                    ("ports",),
                    "'ports' do nothing with 'network_mode: host'.",
                    key=True,
                    severity=Severity.WARNING,
                )
