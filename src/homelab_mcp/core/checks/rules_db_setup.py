"""HL049, HL254, HL255: how a database is set up and asked for its health."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.db_settings import wants_password
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.checks.rules_keeping import data_folder
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LOCAL

DB = "services:\n  db:\n    image: mariadb:11.8\n    volumes: ['./db:/var/lib/mysql']\n    environment:\n"
CACHE = "services:\n  cache:\n    image: redis:8.0\n    command: redis-server --requirepass ${REDIS_PASSWORD:-x}\n"


@rule(
    "HL254",
    Severity.ERROR,
    "Settings with which a database is not set up",
    why="The image's start script ends with an error: a variable together with its _FILE, root as the further user, "
    "or a password for nobody.",
    link="https://hub.docker.com/_/mysql",
    bad=f"{DB}      MARIADB_ROOT_PASSWORD: ${{ROOT_PASSWORD:-x}}\n      MARIADB_USER: root\n"
    "      MARIADB_PASSWORD: ${PASSWORD:-x}\n",
    good=f"{DB}      MARIADB_ROOT_PASSWORD: ${{ROOT_PASSWORD:-x}}\n      MARIADB_USER: app\n"
    "      MARIADB_PASSWORD: ${PASSWORD:-x}\n",
)
def contradicting_settings(ctx: LintContext) -> Iterable[Finding]:
    """A variable and its ``_FILE``, the user root, a user without a password and the other way round."""
    for service in ctx.services():
        brands = _BRANDS.get(repository(service))
        if not brands or service.data.get("entrypoint") or service.partial:
            continue
        given = service.environment
        for key, entry in given.items():
            if key.startswith(brands) and key.endswith("_FILE") and key.removesuffix("_FILE") in given:
                other = given[key.removesuffix("_FILE")]
                if entry.value and (other.value or other.open):
                    yield ctx.on(service, entry.path, f"{other.key} is set too, and the two exclude each other.")
        if "POSTGRES_" not in brands and not service.data.get("env_file"):
            yield from _user(ctx, service, brands)


def _user(ctx: LintContext, service: ServiceView, brands: tuple[str, ...]) -> Iterable[Finding]:
    def named(what: str) -> list[str]:
        return [k for b in brands for e in ("", "_FILE", "_HASH") if (k := f"{b}{what}{e}") in service.environment]

    user, password = named("USER"), named("PASSWORD")
    if user and service.environment[user[0]].value == "root":
        message = "root is there already; this is for a further user, and the start script refuses it."
        yield ctx.on(service, service.environment[user[0]].path, message)
    elif user and not password:
        message = f"The user gets no password ({brands[0]}PASSWORD), so it is not made."
        yield ctx.on(service, service.environment[user[0]].path, message, severity=Severity.WARNING)
    elif password and not user:
        message = f"The password is nobody's: {brands[0]}USER is missing, so no user is made."
        yield ctx.on(service, service.environment[password[0]].path, message, severity=Severity.WARNING)


_BRANDS: dict[str, tuple[str, ...]] = {
    "postgres": ("POSTGRES_",),
    "mariadb": ("MARIADB_", "MYSQL_"),
    "mysql": ("MYSQL_",),
}
"""Official images whose start scripts (docker-entrypoint.sh of docker-library/postgres, mysql, MariaDB) say so."""


@rule(
    "HL255",
    Severity.WARNING,
    "A health check without the password that is asked for",
    why="The cache answers NOAUTH: the check fails although all is well, or passes whatever the cache says.",
    link="https://redis.io/docs/latest/commands/auth/",
    bad=f"{CACHE}    healthcheck: {{test: [CMD, redis-cli, ping]}}\n",
    good=f"{CACHE}    healthcheck: {{test: [CMD-SHELL, 'redis-cli -a \"$$REDIS_PASSWORD\" ping']}}\n",
)
def check_without_password(ctx: LintContext) -> Iterable[Finding]:
    """``redis-cli`` in the health check of a Redis that wants a password, without one."""
    for service in ctx.having("healthcheck"):
        check = service.data["healthcheck"]
        test = check.get("test") if isinstance(check, dict) else None
        text = " ".join(map(str, test)) if isinstance(test, list) else str(test or "")
        asks = re.search(r"\b(?:redis|valkey)-cli\b", text)
        if not asks or not (wants_password(service) or "requirepass" in " ".join(words_of(service, "command"))):
            continue
        given = _GIVES.search(text) or {"REDISCLI_AUTH", "VALKEYCLI_AUTH"} & service.environment.keys()
        if not given and not service.data.get("env_file"):
            yield ctx.on(service, ("healthcheck", "test"), "It gives no password (-a, or REDISCLI_AUTH).")


_GIVES = re.compile(r"\s(?:-a|--pass|--askpass|-u)[\s=]|REDISCLI_AUTH|VALKEYCLI_AUTH|\bauth\b", re.IGNORECASE)


_PASSWORDS = {
    "postgres": ("POSTGRES_PASSWORD", "POSTGRES_HOST_AUTH_METHOD"),
    "mariadb": ("_ROOT_PASSWORD", "_RANDOM_ROOT_PASSWORD", "_ALLOW_EMPTY_ROOT_PASSWORD", "_ALLOW_EMPTY_PASSWORD"),
    "mysql": ("_ROOT_PASSWORD", "_RANDOM_ROOT_PASSWORD", "_ALLOW_EMPTY_PASSWORD"),
}


@rule(
    "HL049",
    Severity.WARNING,
    "A database without a password",
    why="With an empty data folder the official images refuse to start without one; told to do without, they let in "
    "everybody who reaches them.",
    link="https://hub.docker.com/_/postgres",
    bad="services:\n  db:\n    image: postgres:17.5\n",
    good="services:\n  db:\n    image: postgres:17.5\n    environment: {POSTGRES_PASSWORD: '${DB_PASSWORD:-}'}\n",
)
def no_password(ctx: LintContext) -> Iterable[Finding]:
    """A database image without its password variable, or with one that allows none."""
    for service in ctx.services():
        for key, entry in service.environment.items():
            empty = "ALLOW_EMPTY" in key.upper() and (entry.value or "").lower() in {"1", "yes", "true"}
            trust = key == "POSTGRES_HOST_AUTH_METHOD" and entry.value == "trust"
            if empty or trust:
                yield ctx.on(service, entry.path, "Everybody who reaches it gets in without a password.")
        wanted = _PASSWORDS.get(service.image_name)
        unseen = service.partial or service.data.get("env_file") or service.data.get("build")
        if wanted and not unseen and serves(service) and not any(w in k for k in service.environment for w in wanted):
            name = f"{service.image_name.upper()}{wanted[0]}" if wanted[0].startswith("_") else wanted[0]
            told = repository(service) in _BRANDS and service.environment.keys() & _SETS_UP
            # What it is to set up is said: so it is set up, unless that was done long ago.
            severity = Severity.ERROR if told and _starts_empty(service) else None
            where = ("image",) if told else ()
            yield ctx.on(service, where, f"None of its password variables is set ({name}).", severity=severity)


def _starts_empty(service: ServiceView) -> bool:
    """True where the data folder is one of this machine's, beside the file, and is known to be absent or empty.

    The start scripts read the variables for an empty folder only, and nobody can look into a volume.
    """
    exists, names, folder = service.stack.exists, service.stack.names, data_folder(service)
    mounts = [m for m in service.mounts if f"{m.target.rstrip('/')}/".startswith(f"{folder}/")]
    if exists is None or not folder or len(mounts) != 1 or service.stack.host != LOCAL:
        return False
    mount = mounts[0]
    if mount.kind != "bind" or mount.open or mount.source[:1] != "." or mount.target.rstrip("/") != folder:
        return False
    if "PGDATA" in service.environment:
        return False
    place = posixpath.normpath(posixpath.join(posixpath.dirname(service.stack.file), mount.source))
    return not exists(mount.source) or (names is not None and names(place) == [])


def serves(service: ServiceView) -> bool:
    """False when the image is used for its tools: the start script sets up a server only for the server's command."""
    command = service.data.get("command")
    words = command.split() if isinstance(command, str) else command if isinstance(command, list) else []
    first = str(words[0]) if words else "-"
    return not service.data.get("entrypoint") and (first.startswith("-") or first in _SERVERS)


_SETS_UP = frozenset(
    f"{brand}_{what}" for brand in ("MARIADB", "MYSQL") for what in ("DATABASE", "USER", "PASSWORD")
) | {
    "POSTGRES_DB",
    "POSTGRES_USER",
    "POSTGRES_INITDB_ARGS",
}
_SERVERS = frozenset({"postgres", "mariadbd", "mysqld", "docker-entrypoint.sh"})
