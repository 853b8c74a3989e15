"""What a service's variables say of the database it asks, and what a database's say of who may ask it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.checks.view import Entry, ServiceView

_URL = re.compile(
    r"(?:jdbc:)?(?P<kind>postgres(?:ql)?|mysql2?|mariadb|mongodb|rediss?|valkey)(?:\+\w+)?://"
    r"(?:(?P<user>[^:@/\s]*)(?::(?P<password>[^@\s]*))?@)?(?P<host>[A-Za-z0-9][A-Za-z0-9_-]*)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?P<name>[^?\s]*))?(?:\?.*)?"
)
_DSN = re.compile(
    r"(?P<user>[^:@/\s]+):(?P<password>[^@\s]*)@tcp\((?P<host>[\w-]+)(?::(?P<port>[0-9]{1,5}))?\)/(?P<name>\w*).*"
)
_HOST = re.compile(r"(?P<first>.*?)(?P<kind>HOST(?:NAME)?|SERVER|ADDR(?:ESS)?)(?P<last>)", re.IGNORECASE)
_HOSTS = ("HOST", "HOSTNAME", "SERVER", "ADDR", "ADDRESS")
_FIRST = re.compile(
    r"(?:^|_)(?:DB|DATABASE|MYSQL|MARIADB|POSTGRES|POSTGRESQL|PG|PGSQL|REDIS|MONGO|MONGODB|POSTGRESDB|MYSQLDB)_*$"
)
_ENDS = {
    "port": ("PORT", "DBPORT"),
    "user": ("USER", "USERNAME", "DBUSER"),
    "password": ("PASSWORD", "PASS", "PASSWD", "DBPASS", "DBPASSWORD"),
    "name": ("NAME", "DATABASE", "DB", "DBNAME", "DATABASE_NAME", "DB_NAME"),
}
PORTS = {"postgres": 5432, "mysql": 3306, "mongo": 27017, "redis": 6379}
_KINDS = {
    "postgres": ("postgres", "postgresql", "postgis", "pgvector", "pgvecto-rs", "timescaledb"),
    "mysql": ("mariadb", "mysql", "percona"),
    "mongo": ("mongo", "mongodb"),
    "redis": ("redis", "valkey", "keydb", "dragonfly"),
}
_OF_URL = {"post": "postgres", "mysq": "mysql", "mari": "mysql", "mong": "mongo", "redi": "redis", "valk": "redis"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A database that variables name. ``said`` has port, user, password and name as far as told: (text, entry)."""

    host: str
    entry: Entry
    kind: str = ""
    said: Mapping[str, tuple[str, Entry]] = field(default_factory=dict)


def kind_of(service: ServiceView) -> str:
    """postgres, mysql, mongo or redis by the service's image; "" for another."""
    name = service.image_name
    return next((kind for kind, names in _KINDS.items() if name in names), "")


def asked(service: ServiceView) -> list[Asked]:
    """The databases that a service's variables name, each with what they say of it; worked out once."""
    known: list[Asked] | None = service.memo.get("databases")
    if known is None:
        known = service.memo["databases"] = [*_by_address(service), *_by_parts(service)]
    return known


def _by_address(service: ServiceView) -> Iterator[Asked]:
    for entry in service.environment.values():
        text = entry.value or ""
        if "://" not in text and "@tcp(" not in text:
            continue
        match = _URL.fullmatch(text.strip()) or _DSN.fullmatch(text.strip())
        if match and "." not in match.group("host"):
            said = {k: (unquote(match.group(k)), entry) for k in ("user", "password", "port", "name") if match.group(k)}
            kind = _OF_URL.get(match.groupdict().get("kind", "mysql")[:4], "mysql")
            if kind == "redis":
                said.pop("name", None)
            yield Asked(match.group("host").lower(), entry, kind, said)


def _by_parts(service: ServiceView) -> Iterator[Asked]:
    upper: dict[str, Entry] | None = None
    for key, entry in service.environment.items():
        match = _HOST.fullmatch(key) if key.upper().endswith(_HOSTS) else None
        text = (entry.value or "").strip()
        if not match or not text or entry.open or not _FIRST.search(match.group("first").upper()):
            continue
        host, _, port = text.partition(":")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", host) or (port and not port.isdigit()):
            continue
        upper = upper or {k.upper(): e for k, e in service.environment.items()}
        first = match.group("first").upper()
        said = {"port": (port, entry)} if port else {}
        for what, ends in _ENDS.items():
            other = next((upper[first + end] for end in ends if first + end in upper), None)
            if other and other.value and not other.open:
                said.setdefault(what, (other.value.strip(), other))
        yield Asked(host.lower(), entry, "", said)


def granted(database: ServiceView) -> dict[str, set[str]]:
    """user, password and name that a database's variables set up; {} where they are not told, or told elsewhere."""
    kind = kind_of(database)
    unseen = database.partial or database.data.get("env_file")
    scripts = any(m.target.startswith("/docker-entrypoint-initdb.d") for m in database.mounts)
    if unseen or scripts or kind not in ("postgres", "mysql"):
        return {}
    given = database.environment
    if any(k.endswith("_FILE") for k in given):
        return {}
    if kind == "postgres":
        user = "postgres" if "POSTGRES_USER" not in given else _value(given, "POSTGRES_USER")
        name = user if "POSTGRES_DB" not in given else _value(given, "POSTGRES_DB")
        found = {
            "user": {user},
            "name": {name, "postgres"} if name else set(),
            "password": {_value(given, "POSTGRES_PASSWORD")},
        }
        return {what: known - {""} for what, known in found.items()}
    found = {what: {_value(given, f"{brand}_{what}") for brand in ("MARIADB", "MYSQL")} - {""} for what in _SET_UP}
    users = found["USER"]
    return {"user": users | {"root"}, "name": found["DATABASE"], "password": found["PASSWORD"]} if users else {}


_SET_UP = ("USER", "DATABASE", "PASSWORD")


def _value(given: Mapping[str, Entry], key: str) -> str:
    return (given[key].value or "").strip() if key in given and not given[key].open else ""


def wants_password(cache: ServiceView) -> bool:
    """True for a Redis-like service whose command asks for a password."""
    words = " ".join(words_of(cache, "command"))
    return kind_of(cache) == "redis" and bool(re.search(r"--requirepass[= ]+[\"']?[^\s\"']", words))
