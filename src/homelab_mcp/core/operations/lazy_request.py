"""What may be asked about lazy loading."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.core.operations.request import Name, ServiceName

Session = Annotated[str, Field(pattern=r"^([0-9]{1,4}(s|m|h))+$")]
"""A duration as Go writes it, without fractions: 45s, 30m, 1h30m."""


class LazyRequest(BaseModel):
    """Let ``service`` of ``stack`` sleep while nobody visits it, or not any more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: Name
    service: ServiceName
    on: bool
    session: Session = "30m"
    theme: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$")] = ""
    strategy: Literal["dynamic", "blocking"] = "dynamic"
