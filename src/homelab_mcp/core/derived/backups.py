"""What the backup's script reads: which databases it dumps, what it leaves out, and when it runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from homelab_mcp.core import backup_jobs
from homelab_mcp.core.backup_config import ENGINE_LABEL, BackupConfig, parse_config
from homelab_mcp.core.backup_script import RUN_SH
from homelab_mcp.core.backup_shared import maker_of
from homelab_mcp.core.backup_there import brought_text, override_path
from homelab_mcp.core.brought_files import FILES_LABEL, files_mark, is_brought
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.hosts import parse_hosts
from homelab_mcp.core.operations.lab_view import Known
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.core.stack_owner import project_of
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL, PRIVATE_FOLDER

_WHY = "The backup's list of databases and exceptions follows."


def backups(lab: LabAfter) -> Iterator[DerivedFile]:
    """The files that each host's backup reads; none where the lab has no backup, or its settings are unreadable."""
    yield from _gone(lab)
    known = _hosts(lab)
    for host, engine in backup_jobs.engines_of(lab.view).items():
        if host not in known:
            # Taken out of hosts.yaml by hand: no plan writes anything for it, and none is held up by it.
            continue
        text = lab.read(backup_jobs.config_path(engine.stack))
        if text is None:
            continue
        try:
            config = parse_config(text)
        except HomelabError:
            continue
        yield from _here(lab, engine, config) if host == LOCAL else _there(lab, engine, config, host)


def _hosts(lab: LabAfter) -> set[str]:
    try:
        return {LOCAL, *parse_hosts(lab.read(HOSTS_FILE)).hosts}
    except HomelabError:
        return {LOCAL}


def _gone(lab: LabAfter) -> Iterator[DerivedFile]:
    """What came for a service that is no more: left behind, it would be a stack without an image."""
    makers = {s.stack for s in lab.view.services if s.labels.get(ENGINE_LABEL) == "engine"}
    for stack in lab.before:
        path = override_path(stack.name)
        if stack.name not in makers | set(lab.view.unreadable) and is_brought(dict(stack.others).get(path)):
            yield DerivedFile(path, None, f"{path} goes with the service that it was written for.")


def _here(lab: LabAfter, engine: Known, config: BackupConfig) -> Iterator[DerivedFile]:
    """A folder of files, which the container mounts: what it reads at each run changes while it runs."""
    folder = f"{engine.stack}/engine"
    jobs_file = f"{folder}/jobs.sh"
    jobs, excludes = _work(lab, engine, config, _names(lab.roots, lab.read(jobs_file) or ""))
    yield DerivedFile(jobs_file, jobs, _WHY)
    yield DerivedFile(f"{folder}/excludes", excludes, _WHY)
    me = ((engine.stack, engine.name),)
    yield DerivedFile(f"{folder}/run.sh", RUN_SH, "The backup's script is this version's.", 0o755, restart=me)
    yield DerivedFile(f"{folder}/crontab", _clock(config), "The backup's clock follows.", restart=me)


def _there(lab: LabAfter, engine: Known, config: BackupConfig, host: str) -> Iterator[DerivedFile]:
    """The same files within a compose file: only that reaches another host."""
    path = override_path(engine.stack)
    jobs, excludes = _work(lab, engine, config, _names(lab.roots, ""))
    files = {"run.sh": RUN_SH, "jobs.sh": jobs, "excludes": excludes, "crontab": _clock(config)}
    marks = {
        "HOMELAB_HOST": host,
        "HOMELAB_LAB": (lab.read(f"{PRIVATE_FOLDER}/id") or "").strip(),
        "HOMELAB_SHARED": _maker(lab, config, host),
    }
    text = brought_text(engine.name, files, {k: v for k, v in marks.items() if v})
    yield DerivedFile(
        path,
        text,
        f"What the backup of {host} reads follows.",
        recreate=((engine.stack, engine.name),),
        label=(FILES_LABEL, files_mark(text)),
    )


def _work(lab: LabAfter, engine: Known, config: BackupConfig, names: list[str]) -> tuple[str, str]:
    paths = lab.settings.backup_paths
    jobs = backup_jobs.jobs_of(lab.view, config, engine.stack, lab.find, paths, root=lab.roots)
    projects = {s.name: project_of(s, lab.snapshot.shared_env) for s in lab.snapshot.stacks}
    also = paths if engine.host == LOCAL else ()
    return backup_jobs.jobs_text(jobs, config, projects, also, names), backup_jobs.excludes_text(jobs)


def _maker(lab: LabAfter, config: BackupConfig, host: str) -> str:
    """Who makes the repository, where an earlier host has the same; "" where this one does."""
    name = maker_of(lab.view, config, host, lab.read)
    return "" if name == host else "the lab's machine" if name == LOCAL else name


def _clock(config: BackupConfig) -> str:
    return f"{config.schedule} sh /backup/run.sh backup\n"


def _names(roots: Root, before: str) -> list[str]:
    """The lab's names: that of its folder, and those of links by which it was opened once.

    Who opens it by its own name knows of no link, and the file would change with every other plan.
    """
    now = [r for r in ((roots,) if isinstance(roots, str) else roots) if r]
    known = next((line for line in before.splitlines() if line.startswith("LABS=")), "")
    try:
        then = [name for word in shlex.split(known)[:1] for name in shlex.split(word.removeprefix("LABS="))]
    except ValueError:
        return now
    return list(dict.fromkeys((*now, *then))) if now[:1] == then[:1] else now
