"""Compose for every stack of a lab: ``docker compose`` itself, or Swarm for those that say ``engine: swarm``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.adapters.compose_files import compose_text
from homelab_mcp.core.stack_host import SWARM, engine_of

if TYPE_CHECKING:
    from homelab_mcp.adapters.swarm_cli import SwarmCli


class StackCompose:
    """Fulfils ``ports.Compose``; each call goes to what runs that stack by its compose file as it is now.

    Args:
        root: the lab's folder.
        compose: for the stacks that Compose runs, and for reading files.
        swarm: makes what serves the others, on first use.
    """

    def __init__(self, root: str | Path, compose: ComposeCli, swarm: Callable[[], SwarmCli]) -> None:
        self._root = Path(root)
        self._compose = compose
        self._make = swarm
        self._swarm: SwarmCli | None = None

    def swarm(self) -> SwarmCli:
        """What serves the stacks that Swarm runs."""
        if self._swarm is None:
            self._swarm = self._make()
        return self._swarm

    def _of(self, stack: str) -> ComposeCli | SwarmCli:
        return self.swarm() if engine_of(compose_text(self._root / stack)) == SWARM else self._compose

    def version(self) -> str:
        """As Compose's."""
        return self._compose.version()

    def config(self, stack: str) -> None:
        """As Compose's."""
        self._compose.config(stack)

    def check_text(
        self,
        stack: str,
        text: str,
        env_text: str,
        others: Sequence[tuple[str, str]] = (),
        named: Sequence[tuple[str, str]] = (),
    ) -> None:
        """As Compose's."""
        self._compose.check_text(stack, text, env_text, others, named)

    def resolved(self, stack: str) -> dict[str, Any]:
        """As Compose's."""
        return self._compose.resolved(stack)

    def hashes(self, stack: str) -> dict[str, str]:
        """As the port's."""
        return self._of(stack).hashes(stack)

    def pull(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).pull(stack, services)

    def up(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).up(stack, services)

    def back(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).back(stack, services)

    def remove(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).remove(stack, services)

    def down(self, stack: str) -> None:
        """As the port's."""
        self._of(stack).down(stack)

    def restart(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).restart(stack, services)

    def stop(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).stop(stack, services)

    def start(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).start(stack, services)

    def recreate(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).recreate(stack, services)

    def pause(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).pause(stack, services)

    def unpause(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).unpause(stack, services)

    def create(self, stack: str, services: Sequence[str]) -> None:
        """As the port's."""
        self._of(stack).create(stack, services)
