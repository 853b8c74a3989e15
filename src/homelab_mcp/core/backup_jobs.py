"""What a backup of a lab consists of: the dumps before it, what it leaves out, and what it cannot reach."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from homelab_mcp.core.backup_config import CONFIG_FILE, ENGINE_LABEL, BackupConfig
from homelab_mcp.core.backup_databases import ENGINES, REDIS, kind_of, others_of
from homelab_mcp.core.backup_reach import OF_THAT_HOST, OF_THE_HOST, is_system, outside
from homelab_mcp.core.database_folders import DataMounts, Paths, data_mounts, paths_of
from homelab_mcp.core.labels import COMPANION_OF, SERVICE
from homelab_mcp.core.operations.data_places import places
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.core.secret_files import BACKUP_STACK
from homelab_mcp.core.stack_host import COMPOSE
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.lab import LOCAL

Find = Callable[[str], ServiceDefinition | None]


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


def engine_of(view: LabView, host: str = LOCAL) -> Known | None:
    """The service that runs restic on that Docker host."""
    return next((s for s in view.services if s.host == host and s.labels.get(ENGINE_LABEL) == "engine"), None)


def engines_of(view: LabView) -> dict[str, Known]:
    """Docker host -> the service that runs restic there, the lab's machine first."""
    hosts = sorted({s.host for s in view.services}, key=lambda h: (h != LOCAL, h))
    return {host: engine for host in hosts if (engine := engine_of(view, host)) is not None}


def default_stack(host: str) -> str:
    """The stack that a host's backup goes to where nobody says another."""
    return BACKUP_STACK if host == LOCAL else f"{BACKUP_STACK}-{host}"


def config_path(stack: str) -> str:
    """Where that stack's ``backup.yaml`` is."""
    return f"{stack}/{CONFIG_FILE}"


def jobs_of(
    view: LabView,
    config: BackupConfig,
    stack: str,
    find: Find,
    host_paths: tuple[str, ...] = (),
    *,
    root: Root = "",
) -> Jobs:
    """What a backup of this lab does on one of its Docker hosts, which is the one that ``stack`` is on.

    The first of them that make backups (this machine where it does) also tells what lies on those that make none.

    Args:
        view: the lab.
        config: the backup's settings.
        stack: the stack that makes the backups, whose own dumps and repository are not backed up.
        find: a definition by id, or None.
        host_paths: folders of the lab's own machine that are backed up as well.
        root: the lab's on its machine, by which an absolute path is known for one of the lab.
    """
    own = ("repository", "dumps", "restore", "state")
    engines = engines_of(view)
    # Two engines of one machine have one disk.
    stacks = dict.fromkeys((stack, *(e.stack for e in engines.values())))
    jobs = Jobs(excludes=[f"{one}/{name}" for one in stacks for name in own])
    # What this program keeps for a while by itself: thrown-away data and plans.
    jobs.excludes += [".homelab/trash", ".homelab/checks", ".homelab/plans", "*.homelab-tmp"]
    paths = paths_of(view, root)
    host = next((h for h, engine in engines.items() if engine.stack == stack), LOCAL)
    first = next(iter(engines), LOCAL)
    makers = {engine.stack for engine in engines.values()} | {stack}
    for one in view.services:
        if one.stack not in makers and (one.host == host or (host == first and one.host not in engines)):
            _service(view, one, config, find, jobs, host_paths if host == LOCAL else (), paths, host)
    anew = [e for e in dict.fromkeys(jobs.excludes) if e not in jobs.settings]
    jobs.settings = [e for e in dict.fromkeys([*jobs.settings, *config.exclude]) if e not in anew]
    jobs.excludes = [*anew, *jobs.settings]
    return jobs


def _service(
    view: LabView,
    one: Known,
    config: BackupConfig,
    find: Find,
    jobs: Jobs,
    host_paths: tuple[str, ...],
    paths: Paths,
    host: str,
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
    if one.host != host:
        what = [*folders, *found.volumes, *(expand(p, one.env) for p in found.outside)]
        if data := [p for p in what if not is_system(p)]:
            jobs.uncovered.append((one.where, ", ".join(data), _no_backup(one.host)))
        return
    jobs.owners += [(folder, one.stack, one.name) for folder in folders]
    dumped = _store(view, one, folders, find, jobs, paths)
    jobs.excludes += _left_out(one, find)
    for volume in found.volumes:
        # One that is another name of a folder is told as that folder.
        if volume not in dumped.volumes and not near.device(volume) and not paths.behind(one, volume):
            jobs.uncovered.append((one.where, volume, "a named volume of Docker, outside of the lab's folder"))
    dumped_there = {near.device(v) for v in dumped.volumes}
    beside, there = (s for s in found.outside if s not in dumped_there), OF_THE_HOST if host == LOCAL else OF_THAT_HOST
    for path, why in outside(near, beside, host_paths, there):
        if why:
            jobs.uncovered.append((one.where, path, why))
        else:
            jobs.reached.append((one.where, path))


def _no_backup(host: str) -> str:
    if host == LOCAL:
        return "on this machine, which makes no backup: backup configure"
    return f"on host {host}, which makes no backup: backup configure --host {host}"


def _store(view: LabView, one: Known, folders: list[str], find: Find, jobs: Jobs, paths: Paths) -> DataMounts:
    """Note what a database or store needs before the copy; what a dump stands for."""
    kind = kind_of(expand(str(one.data.get("image", "")), one.env))
    if kind == "redis":
        if one.engine == COMPOSE:
            jobs.saves.append((one.stack, one.name, REDIS))
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
        others = others_of(kind, given)
        jobs.dumps.append(Dump(one.stack, one.name, kind, ending, given or dump, load, data.folders, others))
        # The dump stands for what is in them; copied while it runs that would be worth nothing. The empty folder is
        # kept, for its owner. Its other folders (settings, what it shares) are in no dump.
        jobs.settings += [f"{folder}/*" for folder in data.folders]
        return data
    return DataMounts()


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
