"""HL279 to HL281: services that belong together and do not fit: engines, kinds of databases, versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.db_settings import asked, kind_of
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import names_of
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

PAPER = (
    "services:\n  db:\n    image: mariadb:11.8\n    environment: {MARIADB_ROOT_PASSWORD: '${P:-x}'}\n"
    "    volumes: ['./db:/var/lib/mysql']\n  app:\n    image: example/app:1.2.0\n    environment:\n      DB_HOST: db\n"
)
PHOTOS = (
    "services:\n  server:\n    image: ghcr.io/immich-app/immich-server:v2.1.0\n    environment: {DB_HOSTNAME: db}\n"
    "    volumes: ['./photos:/data']\n  db:\n    environment: {POSTGRES_PASSWORD: '${P:-x}'}\n"
    "    volumes: ['./db:/var/lib/postgresql/data']\n    image: "
)
PAIR = (
    "services:\n  server:\n    image: ghcr.io/immich-app/immich-server:v2.1.0\n    volumes: ['./photos:/data']\n"
    "  ml:\n    image: ghcr.io/immich-app/immich-machine-learning:"
)


@rule(
    "HL279",
    Severity.ERROR,
    "A database engine that the database is not",
    why="The program speaks the language of the engine that it is told, and the database at the other end another: no "
    "connection comes about.",
    link="https://docs.paperless-ngx.com/configuration/#database",
    bad=f"{PAPER}      DB_ENGINE: postgresql\n",
    good=f"{PAPER}      DB_ENGINE: mariadb\n",
    needs="environment",
)
def other_engine(ctx: LintContext) -> Iterable[Finding]:
    """``DB_ENGINE``, ``DB_TYPE`` and the like, against the image of the database that the same service names."""
    for service in ctx.having("environment"):
        for entry, kind in _engines(service):
            hosts = {each.host for each in asked(service) if not each.kind}
            named = [s for s in service.stack.services if hosts & names_of(s) and kind_of(s) in ("postgres", "mysql")]
            if named and all(kind_of(s) != kind for s in named):
                message = f"{entry.key}: {named[0].name!r} is {named[0].image_name}, not {entry.value}."
                yield ctx.on(service, entry.path, message)
        yield from _by_its_variable(ctx, service)


def _by_its_variable(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    """A host in a variable that begins with an engine's name, where a database of the other kind has that name."""
    for each in asked(service):
        key = each.entry.key.upper()
        kind = next((k for k, first in _BEGINS.items() if key.startswith(first)), "")
        if each.kind or not kind:
            continue
        named = [s for s in service.stack.services if each.host in names_of(s) and kind_of(s) in _BEGINS]
        if named and all(kind_of(s) != kind for s in named):
            message = f"{each.entry.key}: {named[0].name!r} is {named[0].image_name}."
            yield ctx.on(service, each.entry.path, message)


_BEGINS = {"postgres": ("POSTGRES_", "POSTGRESQL_", "PG_", "PGHOST"), "mysql": ("MYSQL_", "MARIADB_")}
_ENGINE = re.compile(
    r"(?:^|_)(?:DB|DATABASE)_*(?:ENGINE|TYPE|DRIVER|CONNECTION|DIALECT|CLIENT|VENDOR|BACKEND|ADAPTER)$", re.IGNORECASE
)
_SAID = {
    "postgres": ("postgres", "postgresql", "pgsql", "postgresdb", "psql", "pg", "pdo_pgsql"),
    "mysql": ("mysql", "mariadb", "mysqli", "mysql2", "mysqldb", "mariadbdb", "pdo_mysql"),
}


def _engines(service: ServiceView) -> Iterator[tuple[Entry, str]]:
    for key, entry in service.environment.items():
        if _ENGINE.search(key) and entry.value and not entry.open:
            word = entry.value.strip().lower().rpartition(".")[2]
            yield from ((entry, kind) for kind, words in _SAID.items() if word in words)


@rule(
    "HL280",
    Severity.ERROR,
    "A PostgreSQL without what the program asks of it",
    why="The program keeps vectors in its database: at the start it makes an extension that the plain image does not "
    "have, and ends with an error.",
    link="https://docs.immich.app/administration/postgres-standalone/",
    bad=f"{PHOTOS}postgres:14.19\n",
    good=f"{PHOTOS}ghcr.io/immich-app/postgres:14-vectorchord0.4.3-pgvectors0.2.0\n",
    needs="image",
)
def plain_postgres(ctx: LintContext) -> Iterable[Finding]:
    """Immich with the official image of PostgreSQL, by the host that it names or as the one database of the stack."""
    for service in ctx.having("image"):
        if repository(service) not in _WITH_VECTORS or service.partial or service.stack.partial:
            continue
        told = {(service.environment[k].value or "").lower() for k in ("DB_HOSTNAME",) if k in service.environment}
        found = [s for s in service.stack.services if kind_of(s) == "postgres"]
        meant = [s for s in found if told & names_of(s)] if told else found[:1] if len(found) == 1 else []
        for each in meant:
            if repository(each) == "postgres" and not each.data.get("build"):
                message = f"{service.name!r} needs VectorChord, which this has not (ghcr.io/immich-app/postgres has)."
                yield ctx.on(each, ("image",), message)


_WITH_VECTORS = frozenset({"immich-app/immich-server"})


@rule(
    "HL281",
    Severity.WARNING,
    "Two halves of a program in different versions",
    why="They speak to each other in a way that changes from version to version: what one asks the other does not "
    "know, and searches, jobs or log-ins fail.",
    link="https://docs.immich.app/guides/remote-machine-learning/",
    bad=f"{PAIR}v1.106.4\n",
    good=f"{PAIR}v2.1.0-cuda\n",
    needs="image",
)
def other_version(ctx: LintContext) -> Iterable[Finding]:
    """Images of one program, or one image twice where it has several roles, with different version numbers."""
    for stack in ctx.lab.stacks:
        first: dict[str, tuple[ServiceView, str]] = {}
        for service in stack.services:
            program = _HALVES.get(repository(service), "")
            version = _VERSION.match(service.image.rpartition(":")[2]) if program else None
            if version is None:
                continue
            other, number = first.setdefault(program, (service, version[1]))
            if number != version[1] and service.is_beside(other):
                message = f"{other.name!r} is {number}: both are of one program and must be of one version."
                yield ctx.on(service, ("image",), message)


_VERSION = re.compile(r"v?([0-9]+\.[0-9]+(?:\.[0-9]+)?)(?![0-9.])")
_HALVES = {
    "immich-app/immich-server": "immich",
    "immich-app/immich-machine-learning": "immich",
    "goauthentik/server": "authentik",
    "goauthentik/ldap": "authentik",
    "goauthentik/proxy": "authentik",
    "goauthentik/radius": "authentik",
}
"""Image -> its program (https://docs.goauthentik.io/add-secure-apps/outposts/upgrading and Immich's guide)."""
