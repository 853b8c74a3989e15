"""What a backup of a lab consists of: the dumps before it, what it leaves out, and what it cannot reach."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from homelab_mcp.core.backup_config import CONFIG_FILE, ENGINE_LABEL, BackupConfig
from homelab_mcp.core.backup_reach import is_system, outside
from homelab_mcp.core.database_folders import DataMounts, Paths, data_mounts, paths_of
from homelab_mcp.core.labels import COMPANION_OF, SERVICE
from homelab_mcp.core.operations.data_places import places
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.core.stack_host import COMPOSE
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.lab import LOCAL

Find = Callable[[str], ServiceDefinition | None]

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
_REDIS = 'export REDISCLI_AUTH="$REDIS_PASSWORD"; b=$(command -v redis-cli || command -v valkey-cli); exec "$b" SAVE'


@dataclass(frozen=True, slots=True)
class Dump:
    """One database: where it runs, its kind, the commands, and its folders that the dump stands for.

    ``others`` lists the server's databases that are not in the dump; "" where none is left out.
    """

    stack: str
    service: str
    kind: str
    ending: str
    dump: str
    load: str
    folders: tuple[str, ...] = ()
    others: str = ""

    @property
    def file(self) -> str:
        """The dump's path below the folder of dumps."""
        return f"{self.stack}/{self.service}.{self.ending}"


@dataclass(slots=True)
class Jobs:
    """A backup's work; paths are relative to the lab's root.

    Args:
        dumps: databases.
        saves: (stack, service, command) of stores that write their own file when told to.
        owners: (folder, stack, service) for what may hold a database file.
        excludes: paths and globs.
        settings: of those, what a restore must not lose: a person's, and databases that a dump stands for. The others a
            service makes anew.
        uncovered: (stack/service, what, why) that no backup holds.
        reached: (stack/service, path) of what is mounted from a folder of the host that is backed up as well.
    """

    dumps: list[Dump] = field(default_factory=list)
    saves: list[tuple[str, str, str]] = field(default_factory=list)
    owners: list[tuple[str, str, str]] = field(default_factory=list)
    excludes: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    uncovered: list[tuple[str, str, str]] = field(default_factory=list)
    reached: list[tuple[str, str]] = field(default_factory=list)


def engine_of(view: LabView) -> Known | None:
    """The service that runs restic."""
    return next((s for s in view.services if s.labels.get(ENGINE_LABEL) == "engine"), None)


def config_path(stack: str) -> str:
    """Where that stack's ``backup.yaml`` is."""
    return f"{stack}/{CONFIG_FILE}"


def kind_of(image: str) -> str:
    """postgres, mariadb, mongo, redis, or "" for what is none of them."""
    name = image.partition("@")[0]
    name = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return next((kind for kind, pattern in _IMAGES if pattern.fullmatch(name)), "")


def jobs_of(
    view: LabView,
    config: BackupConfig,
    stack: str,
    find: Find,
    host_paths: tuple[str, ...] = (),
    *,
    root: Root = "",
) -> Jobs:
    """What a backup of this lab does.

    Args:
        view: the lab.
        config: the backup's settings.
        stack: the stack that makes the backups, whose own dumps and repository are not backed up.
        find: a definition by id, or None.
        host_paths: folders of the host that are backed up as well.
        root: the lab's on its machine, by which an absolute path is known for one of the lab.
    """
    own = ("repository", "dumps", "restore", "state")
    jobs = Jobs(excludes=[f"{stack}/{name}" for name in own])
    # What this program keeps for a while by itself: thrown-away data and plans.
    jobs.excludes += [".homelab/trash", ".homelab/checks", ".homelab/plans", "*.homelab-tmp"]
    paths = paths_of(view, root)
    for one in view.services:
        if one.stack == stack:
            continue
        _service(view, one, config, find, jobs, host_paths, paths)
    anew = [e for e in dict.fromkeys(jobs.excludes) if e not in jobs.settings]
    jobs.settings = [e for e in dict.fromkeys([*jobs.settings, *config.exclude]) if e not in anew]
    jobs.excludes = [*anew, *jobs.settings]
    return jobs


def _service(
    view: LabView, one: Known, config: BackupConfig, find: Find, jobs: Jobs, host_paths: tuple[str, ...], paths: Paths
) -> None:
    siblings = {s.name: s.data for s in view.services if s.stack == one.stack}
    near = paths.nears[one.stack]
    root, declared = near.root, near.declared
    found = places(one.stack, siblings, [one.name], one.env, lambda _: False, root=root, declared=declared)
    folders = [*found.missing, *found.shared]
    if one.where in config.skip:
        # What a service that is not skipped uses as well stays in the backup, for that one.
        shared = {f for f, users in found.shared.items() if any(f"{one.stack}/{u}" not in config.skip for u in users)}
        out = [f for f in folders if f not in shared]
        jobs.settings += out
        jobs.uncovered.append((one.where, ", ".join(out) or "it", "left out by backup.yaml"))
        return
    if one.host != LOCAL:
        what = [*folders, *found.volumes, *(expand(p, one.env) for p in found.outside)]
        if data := [p for p in what if not is_system(p)]:
            jobs.uncovered.append((one.where, ", ".join(data), f"on host {one.host}; the backup copies this machine's"))
        return
    jobs.owners += [(folder, one.stack, one.name) for folder in folders]
    dumped = _store(view, one, folders, find, jobs, paths)
    jobs.excludes += _left_out(one, find)
    for volume in found.volumes:
        # One that is another name of a folder is told as that folder.
        if volume not in dumped.volumes and not near.device(volume) and not paths.behind(one, volume):
            jobs.uncovered.append((one.where, volume, "a named volume of Docker, outside of the lab's folder"))
    dumped_there = {near.device(v) for v in dumped.volumes}
    for path, why in outside(near, (s for s in found.outside if s not in dumped_there), host_paths):
        if why:
            jobs.uncovered.append((one.where, path, why))
        else:
            jobs.reached.append((one.where, path))


def _store(view: LabView, one: Known, folders: list[str], find: Find, jobs: Jobs, paths: Paths) -> DataMounts:
    """Note what a database or store needs before the copy; what a dump stands for."""
    kind = kind_of(expand(str(one.data.get("image", "")), one.env))
    if kind == "redis":
        if one.engine == COMPOSE:
            jobs.saves.append((one.stack, one.name, _REDIS))
    elif kind == "mongo":
        jobs.uncovered.append(
            (one.where, ", ".join(folders), "a MongoDB, copied while it runs: dump it by its own tool")
        )
    elif kind and one.engine != COMPOSE:
        # The script finds containers of Compose's projects alone; the folder is at least copied.
        if folders:
            jobs.uncovered.append((one.where, ", ".join(folders), "a database that Swarm runs: no dump is made of it"))
    elif kind:
        ending, dump, load = ENGINES[kind]
        given, data = _given(view, one, find), data_mounts(view, one, kind, paths)
        others = _others(kind, given)
        jobs.dumps.append(Dump(one.stack, one.name, kind, ending, given or dump, load, data.folders, others))
        # The dump stands for what is in them; copied while it runs that would be worth nothing. The empty folder is
        # kept, for its owner. Its other folders (settings, what it shares) are in no dump.
        jobs.settings += [f"{folder}/*" for folder in data.folders]
        return data
    return DataMounts()


def _others(kind: str, given: str) -> str:
    """The command that lists what the definition's own dump, or that of its kind where it gives none, leaves out."""
    if _ALL[kind].search(given):
        return ""
    named = _NAMED.search(given) if kind == "mariadb" else None
    if named is None:
        return OTHERS[kind]
    return _DB_OTHERS.replace("{0}", ", ".join(f"'{name.strip(_QUOTES)}'" for name in named[1].split()))


def _given(view: LabView, one: Known, find: Find) -> str:
    """The dump that the definition of the service it belongs to gives, as one shell command."""
    owner = one.labels.get(COMPANION_OF, "")
    main = next((s for s in view.services if s.stack == one.stack and s.name == owner), None)
    definition = find(main.labels.get(SERVICE, "")) if main and main.labels.get(SERVICE) else None
    if definition is None or not definition.backup.dump:
        return ""
    if not one.name.endswith(f"-{definition.backup.dump_container}"):
        return ""
    words = definition.backup.dump
    return words[2] if words[:2] == ["sh", "-c"] and len(words) == 3 else shlex.join(words)


def _left_out(one: Known, find: Find) -> Iterator[str]:
    """What its definition says need not be saved: its excludes and caches."""
    definition = find(one.labels.get(SERVICE, "")) if one.labels.get(SERVICE) else None
    if definition is None:
        return
    for pattern in definition.backup.exclude:
        yield posixpath.normpath(f"{one.stack}/{one.name}/{pattern}")
    for volume in definition.container.volumes:
        if volume.kind == "cache":
            yield f"{one.stack}/{one.name}/{volume.name or volume.kind}"


def jobs_text(
    jobs: Jobs, config: BackupConfig, projects: dict[str, str], host_paths: tuple[str, ...], roots: Sequence[str] = ()
) -> str:
    """``jobs.sh``: read by the backup's script at each run.

    Args:
        jobs: the work.
        config: the backup's settings.
        projects: stack -> the project name that Compose labels its containers with.
        host_paths: folders of the host that are backed up as well.
        roots: the lab's names on its machine, by which a link may lead into it.
    """
    q = shlex.quote
    lines = ["# Written by homelab-mcp from what the lab is; every plan keeps it so.", "dumps() {"]
    for d in jobs.dumps:
        words = (projects.get(d.stack, d.stack), d.service, d.file, d.dump, d.others)
        lines.append(f"  dump {' '.join(map(q, words))}")
    for stack, service, command in jobs.saves:
        lines.append(f"  save {q(projects.get(stack, stack))} {q(service)} {q(command)}")
    lines += ["  :", "}", "loads() {", '  case "$1" in']
    for d in jobs.dumps:
        project = q(projects.get(d.stack, d.stack))
        lines.append(f"    {q(d.stack + '/' + d.service)}) load {project} {q(d.service)} {q(d.load)} ;;")
    lines += ["    *) return 1 ;;", "  esac", "}", "owners() {"]
    for folder, stack, service in jobs.owners:
        lines.append(f"  owner {q(folder)} {q(projects.get(stack, stack))} {q(service)}")
    lines += ["  :", "}", f"KEEP={q(config.keep.arguments)}"]
    lines += [f"{name}={q(' '.join(map(q, paths)))}" for name, paths in (("ALSO", host_paths), ("LABS", roots))]
    return "\n".join([*lines, ""])


def excludes_text(jobs: Jobs) -> str:
    """``excludes``: a file for ``restic backup --exclude-file``, where dollars and backslashes mean something.

    What services make anew comes before a line that restic reads as a comment: each backup keeps the file, for the
    catalog of the day of a restore may call other things so.
    """

    def lines(found: Iterable[str]) -> str:
        kept = [e for e in found if not re.search(r"[$\\\n]", e)]
        return "".join(f"{e}\n" if e.startswith(("*", "/")) else f"/lab/{e}\n" for e in kept)

    return f"{lines(e for e in jobs.excludes if e not in jobs.settings)}# settings\n{lines(jobs.settings)}"
