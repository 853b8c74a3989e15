"""The Swarm that this machine manages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from homelab_mcp.model.swarm import Node


class Swarm(Protocol):
    """Raises EngineUnavailable, EngineFailed (``swarm_missing`` where this machine manages none)."""

    def nodes(self) -> tuple[Node, ...]:
        """Every node, this machine first."""
        ...

    def set_availability(self, node: str, availability: str) -> None:
        """``active``, ``pause`` or ``drain``, by the node's name. Raises NotFound (``node_unknown``)."""
        ...

    def join(self, host: str) -> None:
        """Have a Docker host of ``hosts.yaml`` join as a worker; the token goes from engine to engine alone."""
        ...

    def leave(self, host: str) -> None:
        """Have that host leave again, and the manager forget it."""
        ...

    def stack_file(self, stack: str) -> str:
        """What ``docker stack deploy`` is given for a stack, with variables' values and secrets masked."""
        ...
