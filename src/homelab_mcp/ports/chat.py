"""A chat program whose servers are entered over its own API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class ToolServers(Protocol):
    """A chat program's list of tool servers; entries may hold keys, so they are never shown whole."""

    def servers(self) -> list[dict[str, Any]]: ...

    def replace(self, servers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]: ...

    def tools_of(self, server: Mapping[str, Any]) -> list[str]: ...
