"""Looking at the network from inside a container, and from the host beside it."""

from __future__ import annotations

from typing import Protocol


class Inside(Protocol):
    """Reads by programs that a container happens to have; changes nothing.

    Every call but ``host_address`` raises EngineUnavailable when Docker does not answer.
    """

    def network_of(self, container_id: str) -> str:
        """The container in whose network it lives, by id or name; "" for a network of its own or one that is gone."""
        ...

    def read(self, container_id: str, path: str) -> str | None:
        """A small text file in it; None where it, or a program to read it, is not there."""
        ...

    def address(self, container_id: str) -> str:
        """The address that the internet sees it with; "" where no program in it can ask, or nobody answers."""
        ...

    def host_address(self) -> str:
        """The address that the internet sees the host with; "" where nobody answers."""
        ...
