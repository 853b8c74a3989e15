"""Somebody's services as they wrote them, in the shape of a compose file, before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Parsed:
    """What was read.

    Args:
        services: compose services by name, as plain data.
        networks: the text's own networks.
        volumes: the text's own named volumes.
        env: variables that came along (a ``.env`` beside the file); only those that are referred to are used.
        lost: what cannot be carried over, one sentence each, with what to do instead.
    """

    services: dict[str, dict[str, Any]]
    networks: dict[str, Any] = field(default_factory=dict)
    volumes: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
