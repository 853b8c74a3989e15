"""The machine itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from homelab_mcp.model.host import HostFacts, HostHealth, HostQuestion


class Host(Protocol):
    """This machine, looked at and never changed."""

    def facts(self, question: HostQuestion) -> HostFacts:
        """What can be seen of it now, within a few seconds; what cannot be seen says so and never raises."""
        ...

    def health(self, *, names: Sequence[str] = (), find: str = "") -> HostHealth:
        """How it is now, by two looks a second apart; what cannot be seen is in ``unseen``, and nothing raises.

        Args:
            names: host names to be resolved.
            find: only processes that have this in their name or command line; the command line itself is not told.
        """
        ...
