"""What the backup's script reads: which databases it dumps, what it leaves out, and when it runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from homelab_mcp.core import backup_jobs
from homelab_mcp.core.backup_config import parse_config
from homelab_mcp.core.backup_script import RUN_SH
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.core.stack_owner import project_of
from homelab_mcp.model.errors import HomelabError


def backups(lab: LabAfter) -> Iterator[DerivedFile]:
    """The files of the backup's ``engine`` folder; none where the lab has no backup, or its settings are unreadable."""
    engine = backup_jobs.engine_of(lab.view)
    text = lab.read(backup_jobs.config_path(engine.stack)) if engine else None
    if engine is None or text is None:
        return
    try:
        config = parse_config(text)
    except HomelabError:
        return
    paths = lab.settings.backup_paths
    jobs = backup_jobs.jobs_of(lab.view, config, engine.stack, lab.find, paths, root=lab.roots)
    projects = {s.name: project_of(s, lab.snapshot.shared_env) for s in lab.snapshot.stacks}
    folder = f"{engine.stack}/engine"
    why = "The backup's list of databases and exceptions follows."
    jobs_file = f"{folder}/jobs.sh"
    names = _names(lab.roots, lab.read(jobs_file) or "")
    yield DerivedFile(jobs_file, backup_jobs.jobs_text(jobs, config, projects, paths, names), why)
    yield DerivedFile(f"{folder}/excludes", backup_jobs.excludes_text(jobs), why)
    me = ((engine.stack, engine.name),)
    yield DerivedFile(f"{folder}/run.sh", RUN_SH, "The backup's script is this version's.", 0o755, restart=me)
    clock = f"{config.schedule} sh /backup/run.sh backup\n"
    yield DerivedFile(f"{folder}/crontab", clock, "The backup's clock follows.", restart=me)


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
