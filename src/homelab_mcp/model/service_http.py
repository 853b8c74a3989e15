"""A request to a service and its answer; headers and bodies are not shown, as the key is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpAsk:
    """One request; ``headers`` hold the key, so it is never shown."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back; ``headers`` by lower-case name. ``cut``: more came than is read."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    cut: bool = False
