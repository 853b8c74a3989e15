"""HL242 to HL244, HL294: health checks that ask elsewhere or nobody, known passwords, hashes without their dollars."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.db_settings import granted, kind_of
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.listening import checked_ports, known_ports, port_variables
from homelab_mcp.core.checks.rules_environment import NO_SECRET, SECRET
from homelab_mcp.core.checks.rules_traefik import container_ports
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.known_passwords import everybody_knows
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
DB = "services:\n  db:\n    image: postgres:17.5\n    volumes: ['./db:/var/lib/postgresql/data']\n"
USERS = "    labels:\n      traefik.http.middlewares.auth.basicauth.users: "


@rule(
    "HL242",
    Severity.WARNING,
    "A health check that asks elsewhere",
    why="The check runs inside the container: the host's port, another program's port or a tool that the image has not "
    "fail for ever. What waits for 'healthy' never starts, and Traefik routes nothing to it.",
    link=f"{SERVICES}#healthcheck",
    bad=f"{HEAD}    ports: ['8080:80']\n    healthcheck: {{test: [CMD, curl, -f, 'http://localhost:8080/']}}\n",
    good=f"{HEAD}    ports: ['8080:80']\n    healthcheck: {{test: [CMD, curl, -f, 'http://localhost:80/']}}\n",
    needs="healthcheck",
)
def asks_elsewhere(ctx: LintContext) -> Iterable[Finding]:
    """A port that is the host's or not the program's, a tool of another database, a user that the database has not."""
    for service in ctx.services():
        check = service.data.get("healthcheck")
        test = check.get("test") if isinstance(check, dict) else None
        words: list[Any] = test if isinstance(test, list) else [test]
        if not test or any(type(w) is not str and (not isinstance(w, str) or is_open(w)) for w in words):
            continue
        path: Path = ("healthcheck", "test")
        text = " ".join(words)
        yield from _wrong_port(ctx, service, path)
        yield from _wrong_tool(ctx, service, path, text)
        if re.search(r"(?:^|[\s;&|/])curl\s", text) and _has_no_curl(service):
            sure = Severity.ERROR if _awaited(service) else None
            yield ctx.on(service, path, f"The image {service.image_name} has no curl.", severity=sure)
        if "traefik healthcheck" in text and not _ping(ctx, service, text):
            yield ctx.on(service, path, "Traefik answers this only with its option 'ping' (--ping=true).")


def _wrong_port(ctx: LintContext, service: ServiceView, path: Path) -> Iterator[Finding]:
    asked = checked_ports(service)
    if not asked or service.network_mode or service.partial:
        return
    inside = container_ports(service)
    if asked <= inside:
        return
    told = {e.value for _, e in tl.port_labels(service)} | {e.value for e in port_variables(service)}
    if all(str(port) in told for port in asked):
        return
    outside = {x.host[0]: x.container[0] for _, x in service.published if x.host and x.protocol == "tcp"}
    for port in asked:
        if port in inside or str(port) in told:
            continue
        words = " ".join([*map(_own_words, service.environment.values()), repr(service.data.get("command"))])
        if str(port) in words:
            continue
        known = known_ports(service)
        if port in outside and not (known and port in known):
            message = f"{port} is the port on the host; inside the container it is {outside[port]}."
            yield ctx.on(service, path, message, severity=Severity.ERROR)
        elif known and port not in known and not _own_files(service):
            yield ctx.on(service, path, f"{service.image_name} listens on {min(known)}, not on {port}.")


def _own_words(entry: Entry) -> str:
    """A variable without the addresses that others call, whose ports are the host's or another's."""
    return _CALLED.sub("", entry.raw)


_CALLED = re.compile(
    r"(?!0\.0\.0\.0|127\.0\.0\.1|localhost)(?<![\w.-])[A-Za-z0-9][\w-]*(?:\.[\w-]+)+:[0-9]{2,5}(?![0-9])"
)


def _own_files(service: ServiceView) -> bool:
    """True when files or settings of its own may tell the program where to listen."""
    parts = ("command", "entrypoint", "configs", "build", "env_file")
    mounts = any(m.target.startswith("/etc") for m in service.mounts)
    return mounts or any(service.data.get(p) for p in parts)


def _awaited(service: ServiceView) -> bool:
    """True when another service of the stack starts only once this one is healthy."""
    for other in service.stack.services:
        needs = other.data.get("depends_on")
        told = needs.get(service.name) if isinstance(needs, dict) else None
        if isinstance(told, dict) and told.get("condition") == "service_healthy":
            return True
    return False


def _has_no_curl(service: ServiceView) -> bool:
    official = str(service.data.get("image") or "").removeprefix("docker.io/").removeprefix("library/")
    own = any(service.data.get(part) for part in ("build", "entrypoint"))
    return not own and official.partition(":")[0] in _NO_CURL


_NO_CURL = frozenset(
    {"prom/prometheus", "prom/alertmanager", "prom/node-exporter", "prom/blackbox-exporter", "traefik", "postgres"}
    | {"redis", "valkey/valkey", "mariadb"}
)
"""Images without curl (BusyBox' wget is in the first five): their Dockerfiles install none."""
_TOOLS = {
    "pg_isready": ("postgres", "postgresql", "postgis", "pgvector", "pgvecto-rs", "timescaledb"),
    "psql": ("postgres", "postgresql", "postgis", "pgvector", "pgvecto-rs", "timescaledb"),
    "mysqladmin": ("mysql", "mariadb", "percona"),
    "mariadb-admin": ("mariadb",),
    "healthcheck.sh": ("mariadb",),
    "redis-cli": ("redis", "valkey", "keydb", "dragonfly"),
    "valkey-cli": ("valkey",),
    "mongosh": ("mongo",),
}
_DATABASES = frozenset(image for images in _TOOLS.values() for image in images)


def _wrong_tool(ctx: LintContext, service: ServiceView, path: Path, text: str) -> Iterator[Finding]:
    image = service.image_name
    if image not in _DATABASES or service.data.get("build"):
        return
    for tool, images in _TOOLS.items():
        if re.search(rf"(?<![\w/-]){re.escape(tool)}(?![\w.-])", text) and image not in images:
            yield ctx.on(service, path, f"The image {image} has no {tool}.", severity=Severity.ERROR)
    tag = service.image.rpartition(":")[2]
    if image == "mariadb" and re.search(r"(?<![\w-])mysql(?:admin)?(?![\w.-])", text) and re.match(r"1[1-9]", tag):
        message = "From 11 on the image has mariadb-admin and healthcheck.sh, no mysqladmin."
        yield ctx.on(service, path, message, severity=Severity.ERROR)
    users = granted(service).get("user", set())
    user = re.search(r"pg_isready\b.*?\s-U\s*([A-Za-z0-9_-]+)", text)
    if user and users and user.group(1) not in users:
        yield ctx.on(service, path, f"The database has no user {user.group(1)!r}.")


def _ping(ctx: LintContext, service: ServiceView, text: str) -> bool:
    static = tl.static_config(ctx.lab)
    known = static is not None and static.complete and ctx.lab.traefik is service
    return not known or static is None or any(o == "ping" or o.startswith("ping.") for o in static.options)


@rule(
    "HL243",
    Severity.WARNING,
    "A password that everybody knows",
    why="Whoever tries a log-in tries these first: they stand in every guide and every list.",
    link="https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html",
    bad=f"{HEAD}    environment: {{ADMIN_PASSWORD: '${{PW:-changeme}}'}}\n",
    good=f"{HEAD}    environment: {{ADMIN_PASSWORD: '${{PW:-}}'}}\n",
)
def known_password(ctx: LintContext) -> Iterable[Finding]:
    """A secret whose value, wherever it comes from, is a placeholder or one of the commonest. Never shown."""
    for service in ctx.having("environment"):
        for key, entry in service.environment.items():
            text = (entry.value or "").strip().lower()
            known = text and not entry.open and everybody_knows(text)
            if known and SECRET.search(key) and not NO_SECRET.search(key):
                yield ctx.on(service, entry.path, f"{key} is a placeholder or a password that everybody tries.")
            elif text and not entry.open and text in _own_names(service, key):
                yield ctx.on(service, entry.path, f"{key} is the name of the user or of the database.")


def _own_names(service: ServiceView, key: str) -> set[str]:
    """What a database is told of its user and name, lower case, where ``key`` is one of its passwords."""
    if not re.fullmatch(r"(?:POSTGRES|MYSQL|MARIADB)(?:_ROOT)?_PASSWORD", key) or not kind_of(service):
        return set()
    first = key.partition("_")[0]
    names = (service.environment.get(f"{first}_{last}") for last in ("USER", "DB", "DATABASE"))
    return {(e.value or "").strip().lower() for e in names if e and not e.open} | {"postgres", "root", "mysql"}


@rule(
    "HL244",
    Severity.ERROR,
    "A hash whose dollars Compose takes for variables",
    why="In a compose file '$' begins a variable: of a hash such as $apr1$... or $2y$... a part is gone, and nobody "
    "can log in. Double each '$', or put the hash into .env in single quotes.",
    link="https://docs.docker.com/reference/compose-file/interpolation/",
    bad=f"{HEAD}{USERS}admin:$apr1$ab12$Xy9\n",
    good=f"{HEAD}{USERS}admin:$$apr1$$ab12$$Xy9\n",
)
def eaten_hash(ctx: LintContext) -> Iterable[Finding]:
    """A hash with single dollar signs in a label, variable or command."""
    for service in ctx.services():
        for entry in [*service.labels.values(), *service.environment.values()]:
            if _LEFT.search(entry.value or ""):
                message = f"{entry.key}: the '$' of the hash are gone; put it into single quotes in .env."
                yield ctx.on(service, entry.path, message)
            elif entry.open and _EATEN.search(entry.raw):
                yield ctx.on(service, entry.path, f"{entry.key}: write '$$' for each '$' of the hash.")


_LEFT = re.compile(r"^=[0-9]+=[0-9]+,t=[0-9]+,p=[0-9]+")
"""What is left of an argon2 hash whose parts were taken for variables."""
_EATEN = re.compile(r"(?<!\$)\$(?:apr1|2[abxy]|argon2(?:id|i|d)|[156]|y)\$(?!\$)[^\s]")


@rule(
    "HL294",
    Severity.WARNING,
    "A health check switched off",
    why="Docker calls it running whatever it does: nothing can wait for it, and no watcher starts it again. Put the "
    "image's check right instead.",
    link=f"{SERVICES}#healthcheck",
    bad=f"{HEAD}    healthcheck: {{disable: true}}\n",
    good=f"{HEAD}    healthcheck: {{test: [CMD, curl, -f, 'http://localhost:80/']}}\n",
    needs="healthcheck",
)
def switched_off(ctx: LintContext) -> Iterable[Finding]:
    """``disable: true``, or a test of ``NONE``."""
    for service in ctx.having("healthcheck"):
        check = service.data.get("healthcheck")
        if not isinstance(check, dict):
            continue
        if str(check.get("disable")).lower() == "true":
            yield ctx.on(service, ("healthcheck", "disable"), "Its health check is switched off.")
        elif check.get("test") in ("NONE", ["NONE"]):
            yield ctx.on(service, ("healthcheck", "test"), "Its health check is switched off.")
