"""A Swarm's nodes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """One node as the manager sees it.

    Args:
        id: Swarm's.
        name: its machine's host name.
        role: manager or worker.
        availability: active, pause (no new tasks) or drain (no task at all).
        state: ready, down, disconnected or unknown.
        address: where others reach it.
        version: its engine's.
        here: whether it is this machine.
        leader: whether it leads the managers.
        tasks: services with tasks that run there -> how many; of every stack.
    """

    id: str
    name: str
    role: str
    availability: str
    state: str
    address: str = ""
    version: str = ""
    here: bool = False
    leader: bool = False
    tasks: tuple[tuple[str, int], ...] = ()

    def as_dict(self) -> dict[str, object]:
        """JSON-ready."""
        plain: dict[str, object] = {name: getattr(self, name) for name in self.__slots__ if name != "id"}
        return {**plain, "tasks": dict(self.tasks)}
