"""What may be asked of a lab's set-up: its core stack, and its settings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.core.operations.request import Name, VariableName

CorePart = Literal["duckdns", "traefik", "authelia", "sablier", "dockge", "homepage"]
CORE_PARTS: tuple[CorePart, ...] = ("duckdns", "traefik", "authelia", "sablier", "dockge", "homepage")
"""Definitions of the core stack, each after what it needs: a name that leads here, then the proxy, then the log-in."""


class CoreRequest(BaseModel):
    """The core stack in one plan, without some of its parts; ``names`` and ``stacks`` where others are wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    without: tuple[CorePart, ...] = ()
    given: dict[VariableName, str] = Field(default={}, description="Values for the core's .env, from a person alone.")
    names: dict[CorePart, Name] = {}
    stacks: dict[CorePart, Name] = {}
