"""Which images are databases that a backup knows, and the commands that dump, load and list them."""

from __future__ import annotations

import re

_AS_WHOM = 'export MYSQL_PWD="${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-${MARIADB_PASSWORD:-$MYSQL_PASSWORD}}}"; '
_WHO = (
    'if [ -n "${MARIADB_ROOT_PASSWORD:-$MYSQL_ROOT_PASSWORD}" ]; then u=root; '
    'else u="${MARIADB_USER:-$MYSQL_USER}"; fi; '
)
_MARIA = "b=$(command -v {0} || command -v {1}); "
_DB = '"${MARIADB_DATABASE:-$MYSQL_DATABASE}"'
_PG = '-U "${POSTGRES_USER:-postgres}"'
_PG_DB = '"${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"'

ENGINES: dict[str, tuple[str, str, str]] = {
    "postgres": (
        "sql",
        f"exec pg_dump --clean --if-exists {_PG} {_PG_DB}",
        # Over TCP, where the image's own first start does not listen yet.
        f"exec psql -q -v ON_ERROR_STOP=1 -h 127.0.0.1 {_PG} -d {_PG_DB}",
    ),
    "mariadb": (
        "sql",
        _AS_WHOM
        + _WHO
        + _MARIA.format("mariadb-dump", "mysqldump")
        + f'exec "$b" --single-transaction --routines --triggers --user="$u" {_DB}',
        _AS_WHOM
        + _WHO
        + _MARIA.format("mariadb", "mysql")
        + f'exec "$b" --protocol=tcp -h 127.0.0.1 --user="$u" {_DB}',
    ),
}
"""Kind -> (file ending, dump, load): shell commands that run in the database's own container, with its variables."""

_PG_ELSE = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', current_database())"
_DB_ELSE = (
    "SELECT DISTINCT table_schema FROM information_schema.tables "
    "WHERE table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', {0})"
)
_DB_OTHERS = f"{_AS_WHOM}{_WHO}{_MARIA.format('mariadb', 'mysql')}" + f'exec "$b" -N --user="$u" -e "{_DB_ELSE}" {_DB}'
OTHERS: dict[str, str] = {
    "postgres": f'exec psql -At {_PG} -d {_PG_DB} -c "{_PG_ELSE}"',
    "mariadb": _DB_OTHERS.replace("{0}", "DATABASE()"),
}
"""Kind -> the command that lists what else is in the server: a dump is of one database, and the folder is left out."""

_IMAGES = (
    ("postgres", re.compile(r"(.*/)?(postgres|postgresql|pgvector|postgis|timescaledb|timescaledb-ha|pgvecto-rs)")),
    ("mariadb", re.compile(r"(.*/)?(mariadb|mysql|percona)")),
    ("mongo", re.compile(r"(.*/)?(mongo|mongodb)")),
    ("redis", re.compile(r"(.*/)?(redis|valkey)")),
)
_ALL = {
    "postgres": re.compile(r"\bpg_dumpall\b"),
    "mariadb": re.compile(r"(?:^|\s)(?:--all-databases|-A)(?=\s|$)"),
}
"""In a definition's own command: the whole server. ``pg_dump -B`` is another thing than ``mariadb-dump -B``."""
_BRACED = r"\$\{\w+(?::?-[\w.$-]*)?\}"
_NAME = rf"[\"']?(?:[\w$]|{_BRACED})(?:[\w$-]|{_BRACED})*[\"']?"
_NAMED = re.compile(rf"(?:^|\s)(?:--databases|-B)((?:\s+{_NAME}(?=[\s;|]|$))+)")
"""The databases that ``mariadb-dump`` is told to take; a variable is filled in by the container's own shell."""
_QUOTES = "\"'"
REDIS = 'export REDISCLI_AUTH="$REDIS_PASSWORD"; b=$(command -v redis-cli || command -v valkey-cli); exec "$b" SAVE'
"""The command by which a store writes its own file."""


def kind_of(image: str) -> str:
    """postgres, mariadb, mongo, redis, or "" for what is none of them."""
    name = image.partition("@")[0]
    name = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return next((kind for kind, pattern in _IMAGES if pattern.fullmatch(name)), "")


def others_of(kind: str, given: str) -> str:
    """The command that lists what the definition's own dump, or that of its kind where it gives none, leaves out."""
    if _ALL[kind].search(given):
        return ""
    named = _NAMED.search(given) if kind == "mariadb" else None
    if named is None:
        return OTHERS[kind]
    return _DB_OTHERS.replace("{0}", ", ".join(f"'{name.strip(_QUOTES)}'" for name in named[1].split()))
