"""HL230 to HL232: services and databases that do not agree: credentials, kinds, and ports between containers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.db_settings import PORTS, Asked, asked, granted, kind_of, wants_password
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import host_in
from homelab_mcp.core.checks.rules_traefik import PORT_LIKE, container_ports
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

NETWORKING = "https://docs.docker.com/compose/how-tos/networking/"
HEAD = "services:\n  app:\n    image: example/app:1.2.0\n    environment:\n      DB_HOST: db\n"
DB = (
    "  db:\n    image: mariadb:11.8\n    environment: {MARIADB_USER: app, MARIADB_DATABASE: app, "
    "MARIADB_PASSWORD: '${DB_PASSWORD:-x}', MARIADB_RANDOM_ROOT_PASSWORD: '1'}\n    volumes: ['./db:/var/lib/mysql']\n"
)
_TELLS = {"user": ("_USER",), "password": ("_PASSWORD",), "name": ("_DB", "_DATABASE")}
_WORDS = {"user": "user", "password": "password", "name": "database"}


@rule(
    "HL230",
    Severity.ERROR,
    "A service that logs in with what its database does not have",
    why="The database is set up with the user, password and name in its own variables. A service that comes with "
    "others is turned away: access denied, or no such database.",
    link="https://hub.docker.com/_/mariadb",
    bad=f"{HEAD}      DB_USER: ap\n{DB}",
    good=f"{HEAD}      DB_USER: app\n{DB}",
)
def other_credentials(ctx: LintContext) -> Iterable[Finding]:
    """User, password or name of a database of the same stack, against the database's own variables."""
    for service in ctx.services():
        for each in asked(service) if service.stack.services[1:] else ():
            database = _database(service, each)
            if database is None:
                continue
            if each.kind and kind_of(database) and each.kind != kind_of(database):
                message = f"{database.name!r} is {database.image_name}, which does not speak {each.kind}."
                yield ctx.on(service, each.entry.path, message)
                continue
            yield from _differences(ctx, service, each, database)


def _database(service: ServiceView, each: Asked) -> ServiceView | None:
    """The database service of the same stack that is asked."""
    for other in service.stack.services:
        names = {other.name, str(other.data.get("container_name") or ""), str(other.data.get("hostname") or "")}
        if other is not service and each.host in {n.lower() for n in names} and kind_of(other):
            return other
    return None


def _differences(ctx: LintContext, service: ServiceView, each: Asked, database: ServiceView) -> Iterator[Finding]:
    given = granted(database)
    root = each.said.get("user", ("", None))[0] == "root" and kind_of(database) == "mysql"
    for what, known in given.items():
        said = each.said.get(what)
        if not said or not said[0] or not known or (root and what != "user") or said[0] in known:
            continue
        if what == "name" and _several(service, database, known):
            continue
        # A database of another name may be made by the service itself.
        told = any(key.endswith(_TELLS[what]) for key in database.environment)
        makes = what == "name" and repository(service) not in _MAKE_NONE
        severity = Severity.WARNING if makes or not told else None
        # Every PostgreSQL has the database 'postgres'; told is the one that its variables name.
        shown = "" if what == "password" else f" {min(known, key=lambda k: (k == 'postgres', k))!r}"
        message = f"{database.name!r} is set up with another {_WORDS[what]}{shown}."
        yield ctx.on(service, said[1].path, message, severity=severity)
    if wants_password(database) and not _gives_password(service, each) and not each.entry.open:
        yield ctx.on(service, each.entry.path, f"{database.name!r} wants a password, and none is given here.")


def _gives_password(service: ServiceView, each: Asked) -> bool:
    """True when a password for the cache is said, or may be said where nobody can look."""
    if "password" in each.said:
        return True
    if each.kind == "redis":
        return False
    unseen = service.partial or any(service.data.get(f) for f in ("env_file", "configs", "build"))
    words = {"PASS", "SECRET", "AUTH", "URL"}
    told = any("REDIS" in k.upper() and any(w in k.upper() for w in words) for k in service.environment)
    return bool(unseen) or told or repository(service) not in _BY_VARIABLES


_MAKE_NONE = frozenset({"vaultwarden/server", "miniflux/miniflux"})
"""Programs that want their database there already (Vaultwarden's wiki on PostgreSQL; Miniflux' database settings)."""
_BY_VARIABLES = frozenset({"nextcloud", "immich-app/immich-server"})
"""Programs that are told of their cache by variables alone (their documentation)."""


def _several(service: ServiceView, database: ServiceView, known: set[str]) -> bool:
    """True when the stack asks for several databases, none of them the one that is set up: then they are made."""
    every = (e for s in service.stack.services for e in asked(s) if _database(s, e) is database)
    names = {e.said["name"][0] for e in every if "name" in e.said}
    return len(names) > 1 and not names & known


@rule(
    "HL231",
    Severity.ERROR,
    "The host's port, asked inside",
    why="Between containers only the container's own port listens; what 'ports' publishes is for the host. The "
    "connection is refused.",
    link=NETWORKING,
    bad=f"{HEAD}      DB_PORT: '3307'\n{DB}    ports: ['127.0.0.1:3307:3306']\n",
    good=f"{HEAD}      DB_PORT: '3306'\n{DB}    ports: ['127.0.0.1:3307:3306']\n",
)
def outside_port(ctx: LintContext) -> Iterable[Finding]:
    """An address or port of another container in a variable or label: its host's port, or no port of a database."""
    known = ctx.lab.hosts
    for service in ctx.services():
        for host, port, entry in _asked_ports(service):
            found = known.get(host, [])
            if len(found) != 1 or found[0] is service or found[0].network_mode or service.network_mode == "host":
                continue
            inside = container_ports(found[0])
            usual = PORTS.get(kind_of(found[0]), 0)
            own_words = any(found[0].data.get(f) for f in ("command", "entrypoint", "configs", "env_file"))
            if port in inside or port == usual:
                continue
            outside = _published(found[0], port)
            if outside:
                yield ctx.on(service, entry.path, f"{port} is {host!r}'s port on the host; inside it is {outside}.")
            elif usual and not own_words and not _told(found[0], port):
                yield ctx.on(service, entry.path, f"{host!r} listens on {usual}, not on {port}.")


def _told(database: ServiceView, port: int) -> bool:
    return any(str(port) in (e.value or "") for e in database.environment.values())


def _asked_ports(service: ServiceView) -> Iterator[tuple[str, int, Entry]]:
    """(host, port, where) of what variables and labels of Homepage's ask."""
    seen = set()
    for each in asked(service):
        port, entry = each.said.get("port", ("", each.entry))
        if PORT_LIKE.fullmatch(port):
            seen.add(each.entry.key)
            yield each.host, int(port), entry
    labels = [e for k, e in service.other_labels if k.startswith("homepage.") and "://" in (e.value or "")]
    for entry in [*service.environment.values(), *labels]:
        text = (entry.value or "").strip()
        if "://" not in text or entry.key in seen or not re.match(r"(?:https?|tcp|ws)://[A-Za-z]", text):
            continue
        host, port_number = host_in(text)
        if host and "." not in host and re.match(r"[a-z]+://[^/]*:[0-9]", text):
            yield host, port_number, entry


def _published(service: ServiceView, port: int) -> int:
    """The container's port behind a published one, else 0."""
    for _, published in service.published:
        if published.protocol == "tcp" and published.host and published.host[0] <= port <= published.host[1]:
            return published.container[0] + (port - published.host[0] if not published.picks else 0)
    return 0
