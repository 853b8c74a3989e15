"""Which stack of the lab a container belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from homelab_mcp.core import env_file
from homelab_mcp.core.operations.lab_view import expand
from homelab_mcp.core.project_name import (
    FOLDER_LABEL,
    PROJECT_LABEL,
    folder_project,
    is_one_off,
    project_name,
    written_name,
)
from homelab_mcp.model.observed import ContainerState, Snapshot, StackFiles

_NAME = "COMPOSE_PROJECT_NAME"


def owner(container: ContainerState, stacks: Sequence[StackFiles], root: str) -> str:
    """The stack (folder name) a container belongs to, by its folder or project; else its project's name."""
    return owners(stacks, root)(container)


def owners(stacks: Sequence[StackFiles], root: str) -> Callable[[ContainerState], str]:
    """:func:`owner` for many containers of the same stacks. Where several stacks fit, the first counts."""
    folders = {f"{root.rstrip('/')}/{stack.name}": stack.name for stack in reversed(stacks)}
    projects: dict[str, str] = {}

    def of(container: ContainerState) -> str:
        folder = container.labels.get(FOLDER_LABEL, "")
        if folder in folders:
            return folders[folder]
        if not projects:
            # Needs a look into every file, and most containers say their folder.
            for stack in reversed(stacks):
                names = (project_name(stack.name, stack.compose_text), folder_project(stack.name))
                projects.update(dict.fromkeys(names, stack.name))
        return projects.get(container.stack, container.stack)

    return of


def project_of(stack: StackFiles, shared_env: str = "") -> str:
    """The project that Compose makes of a stack's files: ``COMPOSE_PROJECT_NAME``, the file's ``name``, the folder.

    Source: https://docs.docker.com/compose/how-tos/project-name/
    """
    env = {**env_file.parse_or_empty(shared_env), **env_file.parse_or_empty(stack.env_text)}
    return env.get(_NAME) or expand(written_name(stack.compose_text) or "", env) or folder_project(stack.name)


def by_folder(snapshot: Snapshot, roots: Sequence[str]) -> Snapshot:
    """The snapshot with those containers in their stack whose project's name its compose file alone does not tell.

    What was started in a stack's folder by another name (``-p``, an earlier value) is of no stack: it goes with no
    plan for it.
    """
    unsure = [s for s in snapshot.stacks if "$" in (written_name(s.compose_text) or "") or _NAME in s.env_text]
    folders = {
        f"{root.rstrip('/')}/{s.name}": (s.name, project_of(s, snapshot.shared_env))
        for root in roots
        if root
        for s in unsure
    }
    if not folders:
        return snapshot

    def stack_of(container: ContainerState) -> str:
        name, project = folders.get(container.labels.get(FOLDER_LABEL, ""), (container.stack, ""))
        return name if not project or container.labels.get(PROJECT_LABEL, project) == project else ""

    def placed(found: Iterable[ContainerState]) -> tuple[ContainerState, ...]:
        return tuple(replace(c, stack=stack_of(c)) for c in found)

    containers = None if snapshot.containers is None else placed(snapshot.containers)
    return replace(snapshot, containers=containers, besides=placed(snapshot.besides))


def parted(
    containers: Iterable[ContainerState],
) -> tuple[tuple[ContainerState, ...], tuple[ContainerState, ...]]:
    """Those of services, and the others: of ``docker compose run``, and what neither Compose nor Swarm made."""
    mine, others = list[ContainerState](), list[ContainerState]()
    for one in containers:
        (mine if one.stack and not is_one_off(one.labels) else others).append(one)
    return tuple(mine), tuple(others)
