"""Where a lab's backup is made: its stack, its settings and its container."""

from __future__ import annotations

from dataclasses import dataclass

from homelab_mcp.core import backup_jobs
from homelab_mcp.core.backup_config import BackupConfig, parse_config
from homelab_mcp.core.backup_jobs import Jobs
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.project_name import project_name
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import EngineFailed, NotFound
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks


@dataclass(frozen=True, slots=True)
class Place:
    """The backup's stack and service, its settings and its work.

    ``remade`` are patterns of what it leaves out whatever its settings say: services make it anew.
    """

    stack: str
    service: str
    config: BackupConfig
    jobs: Jobs
    remade: tuple[str, ...] = ()


def backup_place(lab: Lab) -> Place:
    """The lab's backup. Raises NotFound (``no_backup``), InvalidInput (``bad_backup_config``)."""
    seen = view(Snapshot(read_stacks(lab.files), None))
    engine = backup_jobs.engine_of(seen)
    text = lab.files.read(backup_jobs.config_path(engine.stack)) if engine else None
    if engine is None or text is None:
        raise NotFound(
            "This lab has no backup yet.",
            hint="Plan one with configure_backup (`homelab-mcp backup configure`).",
            code="no_backup",
        )

    def find(name: str) -> ServiceDefinition | None:
        try:
            return lab.catalog.get(name)
        except NotFound:
            return None

    config = parse_config(text)
    jobs = backup_jobs.jobs_of(seen, config, engine.stack, find, lab.settings.backup_paths, root=lab.roots)
    plain = backup_jobs.jobs_of(seen, BackupConfig(repository="/"), engine.stack, find, root=lab.roots)
    remade = tuple(e for e in plain.excludes if e not in plain.settings)
    return Place(engine.stack, engine.name, config, jobs, remade)


def backup_container(lab: Lab) -> str:
    """The id of the container that makes backups. Raises NotFound, EngineFailed (``backup_not_running``)."""
    stacks = read_stacks(lab.files)
    engine = backup_jobs.engine_of(view(Snapshot(stacks, None)))
    if engine is None:
        raise NotFound(
            "This lab has no backup yet.",
            hint="Plan one with configure_backup (`homelab-mcp backup configure`).",
            code="no_backup",
        )
    text = next(s.compose_text for s in stacks if s.name == engine.stack)
    for one in lab.engine.containers(project_name(engine.stack, text)):
        if one.service == engine.name and one.state == "running":
            return one.id
    raise EngineFailed(
        f"{engine.where} does not run, so nothing is backed up.",
        hint=f"Start it (`docker compose up -d` in {engine.stack}), then look at its logs.",
        code="backup_not_running",
    )
