"""What may be asked about the VPN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from homelab_mcp.core.operations.request import Name, ServiceName


class VpnRequest(BaseModel):
    """Move ``service`` of ``stack`` behind the VPN gateway or back, and choose the gateway's provider.

    Without ``service`` the provider alone is chosen, for the gateway of ``stack``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: Name
    service: ServiceName | None = None
    on: bool | None = None
    provider: Annotated[str, Field(max_length=40)] = ""
    type: Literal["", "wireguard", "openvpn"] = ""

    @model_validator(mode="after")
    def _whole(self) -> VpnRequest:
        if (self.service is None) != (self.on is None):
            raise ValueError("a service and on or off belong together")
        if self.service is None and not self.provider:
            raise ValueError("nothing is asked: name a service with on or off, or a provider")
        return self
