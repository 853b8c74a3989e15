"""Which stack of the lab a container belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from homelab_mcp.core.project_name import FOLDER_LABEL, folder_project, is_one_off, project_name, written_name
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


def by_folder(snapshot: Snapshot, roots: Sequence[str]) -> Snapshot:
    """The snapshot with those containers in their stack whose project's name its compose file alone does not tell.

    Where it is told, the project counts: what was started there by another name (``-p``) goes with no plan for it.
    """
    unsure = [s for s in snapshot.stacks if "$" in (written_name(s.compose_text) or "") or _NAME in s.env_text]
    folders = {f"{root.rstrip('/')}/{s.name}": s.name for root in roots if root for s in unsure}
    if not folders:
        return snapshot

    def placed(found: Iterable[ContainerState]) -> tuple[ContainerState, ...]:
        return tuple(replace(c, stack=folders.get(c.labels.get(FOLDER_LABEL, ""), c.stack)) for c in found)

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
