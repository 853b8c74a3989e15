"""What a person or a model may ask for: one frozen request type an operation, nothing extra allowed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.model.external import GroupName as GroupName
from homelab_mcp.model.hosts import HostName
from homelab_mcp.model.lab import NAME_PATTERN, RuleId

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
ServiceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""A service that is there already: Compose takes dots and capitals too, and a person may have used them."""
SubDomain = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServiceOptions(_Request):
    """How a catalog service is to be set up; what is unset comes from its definition and the lab's settings."""

    name: Name | None = Field(default=None, description="Compose service name; the definition's id when unset.")
    subdomain: SubDomain | None = Field(default=None, description="Left part of the host name.")
    sso: Literal["protect", "two_factor", "bypass"] | None = Field(
        default=None, description="Ask for the lab's log-in, with a second factor, or not at all."
    )
    sso_reason: str = Field(default="", max_length=200, description="Why log-in is bypassed; needed with sso=bypass.")
    sso_groups: tuple[GroupName, ...] = Field(
        default=(), max_length=20, description="Only members of these groups may pass; everyone when empty."
    )
    vpn: bool | None = Field(default=None, description="Route the service through the VPN gateway.")
    lazy: bool = Field(default=False, description="Let Sablier stop it while nobody visits it.")
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")] | None = Field(
        default=None, description="Image tag in place of the catalog's pinned one."
    )
    variables: dict[VariableName, str] = Field(
        default={}, description="Values of the definition's non-secret variables. Secrets are never passed here."
    )


class AddServiceRequest(_Request):
    """Add ``service`` (a catalog id or alias) to ``stack`` (the definition's own when unset)."""

    service: Annotated[str, Field(min_length=1, max_length=80)]
    stack: Name | None = None
    options: ServiceOptions = ServiceOptions()
    host: HostName | None = Field(default=None, description="Docker host of a new stack; this machine when unset.")


class RemoveServiceRequest(_Request):
    """Remove ``service`` (its compose name) and the companions that were added with it from ``stack``."""

    stack: Name
    service: ServiceName
    data: Literal["keep", "delete"] = "keep"
    env: Literal["keep", "delete"] = Field(default="keep", description="Variables that nothing else uses.")


class SetEnvRequest(_Request):
    """Set variables of a stack's ``.env``; None unsets one."""

    stack: Name
    values: dict[VariableName, str | None] = Field(min_length=1)


class FixRequest(_Request):
    """Apply the linter's fixes to ``stack`` (the whole lab when unset), of these ``rules`` (all when unset)."""

    stack: Name | None = None
    rules: tuple[RuleId, ...] | None = Field(default=None, description="Rule ids such as HL014; all when unset.")
    unsafe: bool = Field(default=False, description="Apply suggestions too, which may change how a service works.")
