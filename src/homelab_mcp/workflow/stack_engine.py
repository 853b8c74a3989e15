"""An engine that speaks of stacks by their folders, also where a compose file gives its project another name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from homelab_mcp.core.project_name import folder_project, project_name
from homelab_mcp.core.resources import Usage
from homelab_mcp.model.diagnosis import ContainerFacts
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.observed import ContainerMake, ContainerState, Rollout
from homelab_mcp.ports import Compose, Engine, EngineInfo, Files


def take_away(engine: Engine, compose: Compose, stack: str, services: Sequence[str]) -> None:
    """Remove these services' containers, and the stack's own networks that nothing is joined to without them."""
    joined = {n for c in engine.containers(stack) if c.service in services for n in c.networks}
    compose.remove(stack, services)
    if joined:
        # Compose itself removes networks only with the whole stack.
        engine.sweep_networks(stack, joined)


class StackEngine:
    """Fulfils ``ports.Engine`` over another engine: ``stack`` is the lab's folder name, in and out.

    A project that is no stack of this lab keeps its own name.
    """

    def __init__(self, engine: Engine, files: Files) -> None:
        self._engine = engine
        self._files = files

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        """As the engine's, with ``stack`` the folder's name."""
        if stack is not None:
            found = self._engine.containers(self._projects().get(stack, folder_project(stack)), besides=besides)
            return tuple(replace(c, stack=stack) for c in found)
        folders = {project: folder for folder, project in self._projects().items()}
        found = self._engine.containers(besides=besides)
        return tuple(replace(c, stack=folders.get(c.stack, c.stack)) for c in found)

    def rollouts(self, stack: str) -> tuple[Rollout, ...]:
        """As the engine's."""
        return self._engine.rollouts(self._projects().get(stack, folder_project(stack)))

    def sweep_renamed(self, stack: str) -> list[str]:
        """As the engine's."""
        return self._engine.sweep_renamed(self._projects().get(stack, folder_project(stack)))

    def remove_orphans(self, stack: str, services: Collection[str]) -> list[str]:
        """As the engine's."""
        return self._engine.remove_orphans(self._projects().get(stack, folder_project(stack)), services)

    def facts(self, container_id: str) -> ContainerFacts:
        """As the engine's."""
        return self._engine.facts(container_id)

    def volumes(self) -> frozenset[str]:
        """As the engine's."""
        return self._engine.volumes()

    def made_from(self, container_id: str) -> ContainerMake:
        """As the engine's."""
        return self._engine.made_from(container_id)

    def sweep_networks(self, stack: str, names: Collection[str]) -> list[str]:
        """As the engine's."""
        return self._engine.sweep_networks(self._projects().get(stack, folder_project(stack)), names)

    def silent(self) -> Mapping[str, str]:
        """As the engine's."""
        return self._engine.silent()

    def info(self) -> EngineInfo:
        """As the engine's."""
        return self._engine.info()

    def memory(self) -> int:
        """As the engine's."""
        return self._engine.memory()

    def inspect(self, container_id: str) -> ContainerState:
        """As the engine's; ``stack`` is the project's name."""
        return self._engine.inspect(container_id)

    def usage(self, container_id: str) -> Usage:
        """As the engine's."""
        return self._engine.usage(container_id)

    def logs(
        self, container_id: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """As the engine's."""
        return self._engine.logs(container_id, tail=tail, since=since, until=until)

    def networks(self) -> frozenset[str]:
        """As the engine's."""
        return self._engine.networks()

    def pools(self) -> Mapping[str, tuple[str, ...]]:
        """As the engine's."""
        return self._engine.pools()

    def create_network(self, name: str) -> None:
        """As the engine's."""
        self._engine.create_network(name)

    def remove_network(self, name: str) -> None:
        """As the engine's."""
        self._engine.remove_network(name)

    def images(self) -> frozenset[str]:
        """As the engine's."""
        return self._engine.images()

    def image_digests(self, reference: str) -> frozenset[str]:
        """As the engine's."""
        return self._engine.image_digests(reference)

    def image_facts(self, reference: str) -> ImageFacts | None:
        """As the engine's."""
        return self._engine.image_facts(reference)

    def _projects(self) -> dict[str, str]:
        """Folder -> project, read afresh: an apply may just have written the file."""
        found = {}
        for name, path in self._files.stack_folders():
            try:
                found[name] = project_name(name, self._files.read(path) or "")
            except HomelabError:
                found[name] = folder_project(name)
        return found
