"""The machine itself."""

from __future__ import annotations

from typing import Protocol

from homelab_mcp.model.host import HostFacts, HostQuestion


class Host(Protocol):
    """This machine, looked at and never changed."""

    def facts(self, question: HostQuestion) -> HostFacts:
        """What can be seen of it now, within a few seconds; what cannot be seen says so and never raises."""
        ...
