"""What the backup's script reads: which databases it dumps, what it leaves out, and when it runs."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.core import backup_jobs
from homelab_mcp.core.backup_config import parse_config
from homelab_mcp.core.backup_script import RUN_SH
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.project_name import project_name
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
    projects = {s.name: project_name(s.name, s.compose_text) for s in lab.snapshot.stacks}
    folder = f"{engine.stack}/engine"
    why = "The backup's list of databases and exceptions follows."
    yield DerivedFile(f"{folder}/jobs.sh", backup_jobs.jobs_text(jobs, config, projects, paths), why)
    yield DerivedFile(f"{folder}/excludes", backup_jobs.excludes_text(jobs), why)
    me = ((engine.stack, engine.name),)
    yield DerivedFile(f"{folder}/run.sh", RUN_SH, "The backup's script is this version's.", 0o755, restart=me)
    clock = f"{config.schedule} sh /backup/run.sh backup\n"
    yield DerivedFile(f"{folder}/crontab", clock, "The backup's clock follows.", restart=me)
