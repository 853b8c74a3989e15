"""Where a lab's backups are made, one for each Docker host: the stack, its settings and its container."""

from __future__ import annotations

from dataclasses import dataclass

from homelab_mcp.core import backup_jobs
from homelab_mcp.core.backup_config import BackupConfig, parse_config
from homelab_mcp.core.backup_jobs import Jobs
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.project_name import project_name
from homelab_mcp.core.stack_host import host_of, require
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import EngineFailed, NotFound
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks


@dataclass(frozen=True, slots=True)
class Place:
    """The backup's stack and service, its settings and its work.

    ``remade`` are patterns of what it leaves out whatever its settings say: services make it anew. ``host`` is the
    Docker host that it is on.
    """

    stack: str
    service: str
    config: BackupConfig
    jobs: Jobs
    remade: tuple[str, ...] = ()
    host: str = LOCAL


def backup_place(lab: Lab, host: str = LOCAL) -> Place:
    """The backup of one of the lab's Docker hosts.

    Raises NotFound (``no_backup``), InvalidInput (``bad_backup_config``).
    """
    seen = view(Snapshot(read_stacks(lab.files), None))
    engine = backup_jobs.engine_of(seen, host)
    text = lab.files.read(backup_jobs.config_path(engine.stack)) if engine else None
    if engine is None or text is None:
        raise _none(lab, host)

    def find(name: str) -> ServiceDefinition | None:
        try:
            return lab.catalog.get(name)
        except NotFound:
            return None

    config = parse_config(text)
    jobs = backup_jobs.jobs_of(seen, config, engine.stack, find, lab.settings.backup_paths, root=lab.roots)
    plain = backup_jobs.jobs_of(seen, BackupConfig(repository="/"), engine.stack, find, root=lab.roots)
    remade = tuple(e for e in plain.excludes if e not in plain.settings)
    return Place(engine.stack, engine.name, config, jobs, remade, host)


def backup_hosts(lab: Lab) -> tuple[str, ...]:
    """Docker hosts that make backups, the lab's machine first."""
    return tuple(backup_jobs.engines_of(view(Snapshot(read_stacks(lab.files), None))))


def host_of_stack(lab: Lab, stack: str) -> str:
    """The Docker host that a stack is on."""
    return next((host_of(s.compose_text) for s in read_stacks(lab.files) if s.name == stack), LOCAL)


def backup_container(lab: Lab, host: str = LOCAL) -> str:
    """The id of the container that makes a host's backups. Raises NotFound, EngineFailed (``backup_not_running``)."""
    stacks = read_stacks(lab.files)
    engine = backup_jobs.engine_of(view(Snapshot(stacks, None)), host)
    if engine is None:
        raise _none(lab, host)
    text = next(s.compose_text for s in stacks if s.name == engine.stack)
    for one in lab.engine.containers(project_name(engine.stack, text)):
        if one.service == engine.name and one.state == "running":
            return one.id
    raise EngineFailed(
        f"{engine.where} does not run, so nothing is backed up{'' if host == LOCAL else f' on {host}'}.",
        hint=f"Start it (`docker compose up -d` in {engine.stack}), then look at its logs.",
        code="backup_not_running",
    )


def _none(lab: Lab, host: str) -> NotFound:
    """Raises NotFound (``host_unknown``) for a host that there is not."""
    if host != LOCAL:
        require(host, lab.hosts.settings.hosts)
    if host == LOCAL:
        return NotFound(
            "This lab has no backup yet.",
            hint="Plan one with configure_backup (`homelab-mcp backup configure`).",
            code="no_backup",
        )
    return NotFound(
        f"Host {host} has no backup yet.",
        hint=f"Plan one with configure_backup (`homelab-mcp backup configure --host {host}`).",
        code="no_backup",
    )
