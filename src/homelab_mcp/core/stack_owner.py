"""Which stack of the lab a container belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from homelab_mcp.core.project_name import FOLDER_LABEL, folder_project, is_one_off, project_name
from homelab_mcp.model.observed import ContainerState, StackFiles


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


def parted(
    containers: Iterable[ContainerState],
) -> tuple[tuple[ContainerState, ...], tuple[ContainerState, ...]]:
    """Those of services, and the others: of ``docker compose run``, and what neither Compose nor Swarm made."""
    mine, others = list[ContainerState](), list[ContainerState]()
    for one in containers:
        (mine if one.stack and not is_one_off(one.labels) else others).append(one)
    return tuple(mine), tuple(others)
