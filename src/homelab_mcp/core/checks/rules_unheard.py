"""HL291, HL292: ports that nobody listens on, and hosts that a program takes by default and nobody has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import env_texts
from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.db_settings import kind_of
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.listening import known_ports, main_port, only_told, own_port, port_variables
from homelab_mcp.core.checks.rules_own_address import given_hosts
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.model.finding import Finding, Severity

BOOKS = "services:\n  books:\n    image: ghcr.io/advplyr/audiobookshelf:2.30.0\n"
PHOTOS = "services:\n  photos:\n    image: ghcr.io/immich-app/immich-server:v2.1.0\n"
STORES = (
    "  cache:\n    image: valkey/valkey:8.1.3\n"
    "  db:\n    image: ghcr.io/immich-app/postgres:14-vectorchord0.4.3-pgvectors0.2.0\n"
)


@rule(
    "HL291",
    Severity.ERROR,
    "A published port that nothing listens on",
    why="The second number is the port inside the container. The image listens on another one, and nothing here tells "
    "it otherwise: the connection is refused.",
    link="https://docs.docker.com/reference/compose-file/services/#ports",
    bad=f"{BOOKS}    ports: ['13378:13378']\n",
    good=f"{BOOKS}    ports: ['13378:80']\n",
    needs="ports",
)
def nothing_listens(ctx: LintContext) -> Iterable[Finding]:
    """Well-known images whose port only a variable or the command moves, and neither does."""
    for service in ctx.having("ports"):
        yield from _moved_away(ctx, service)
        known = known_ports(service)
        if not known or not only_told(service) or _may_be_moved(service):
            continue
        tcp = [(entry.at("target"), p) for entry, p in service.published if p.protocol == "tcp"]
        if any(p.container[0] <= port <= p.container[1] for _, p in tcp for port in known | _also(service)):
            continue
        for path, published in tcp:
            inside = published.container[0]
            if not _is_named(service, inside):
                message = f"{service.image_name} listens on {main_port(service)} in its container, not on {inside}."
                yield ctx.on(service, path, message)


def _moved_away(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    """The usual port is published, and a variable that only this program reads has it listen on another one."""
    usual, told = main_port(service), own_port(service)
    tcp = [(entry, p.container) for entry, p in service.published if p.protocol == "tcp"]
    if not usual or not told or told == usual or service.partial or any(low <= told <= high for _, (low, high) in tcp):
        return
    for entry, (low, high) in tcp:
        if low == high == usual:
            yield ctx.on(service, entry.at("target"), f"It is told to listen on {told}, not on {usual}.")


def _may_be_moved(service: ServiceView) -> bool:
    """True where a command, a file, a variable or another container may have it listen elsewhere."""
    parts = ("command", "entrypoint", "build", "env_file", "configs")
    if service.partial or service.network_mode or port_variables(service) or any(service.data.get(p) for p in parts):
        return True
    others = service.stack.services
    if any(o.network_mode in (f"service:{service.name}", f"container:{service.name}") for o in others):
        return True
    return any(key.upper().endswith("PORT") for key in service.environment)


def _is_named(service: ServiceView, port: int) -> bool:
    return any((e.value or "").rpartition(":")[2] == str(port) for e in service.environment.values())


def _also(service: ServiceView) -> frozenset[int]:
    """Ports of another release or for TLS of these images, and of the variant that the tag names."""
    return _ALSO.get(repository(service), frozenset())


_ALSO = {
    "vaultwarden/server": frozenset({3012}),
    "linuxserver/bookstack": frozenset({443}),
    "linuxserver/heimdall": frozenset({443}),
    "nextcloud": frozenset({9000}),
    "immich-app/immich-server": frozenset({3001, 8081, 8082}),
    "mealie-recipes/mealie": frozenset({80, 3000}),
    "n8nio/n8n": frozenset({5679}),
    "miniflux/miniflux": frozenset({443}),
    "freshrss/freshrss": frozenset({443}),
}


@rule(
    "HL292",
    Severity.ERROR,
    "A host that is taken by default and that nobody has",
    why="Where the variable is not set the program asks for a host of its own choice. No container is called "
    "so: it finds neither its database nor its cache and restarts for ever.",
    link="https://docs.immich.app/install/environment-variables/#database",
    bad=f"{PHOTOS}    environment: {{REDIS_HOSTNAME: cache}}\n{STORES}",
    good=f"{PHOTOS}    environment: {{DB_HOSTNAME: db, REDIS_HOSTNAME: cache}}\n{STORES}",
)
def default_host(ctx: LintContext) -> Iterable[Finding]:
    """Immich's server beside a database or cache of another name than the one it takes by default."""
    for service in ctx.services():
        wanted = _DEFAULTS.get(repository(service), ())
        partial = service.partial or service.stack.partial or (_outward(service) and not ctx.lab.whole)
        unseen = partial or service.network_mode or service.data.get("entrypoint")
        said = env_texts.said_in_files(service) if wanted and not unseen else None
        if said is None:
            continue
        for kind, host, names in wanted:
            known = said | service.environment.keys()
            if host in ctx.lab.hosts or host in given_hosts(service) or any(n in known for n in names):
                continue
            there = [s.name for s in service.stack.services if s is not service and kind_of(s) == kind]
            if not there and not _outward(service):
                message = f"It asks for the host {host!r} ({names[0]}), which no container has."
                yield ctx.on(service, (), message, severity=Severity.WARNING)
            if len(there) == 1:
                path = ("environment",) if "environment" in service.data else ()
                message = f"{names[0]} is not set, so it asks for the host {host!r}; the service is {there[0]!r}."
                yield ctx.on(service, path, message, key=True)


def _outward(service: ServiceView) -> bool:
    """True where containers of other stacks may be on its networks."""
    bodies = [service.stack.section("networks").get(key) for key in service.networks]
    return any(isinstance(b, dict) and (is_external(b) or b.get("name")) for b in bodies)


_DEFAULTS: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "immich-app/immich-server": (
        ("postgres", "database", ("DB_HOSTNAME", "DB_HOSTNAME_FILE", "DB_URL", "DB_URL_FILE")),
        ("redis", "redis", ("REDIS_HOSTNAME", "REDIS_URL", "REDIS_SOCKET")),
    )
}
"""Repository -> (kind of server, host by default, variables that name another), as its page on variables has them."""
