"""What a person or a model may ask when somebody's compose text or command line is to be taken over."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.core.operations.request import Name, SubDomain, VariableName
from homelab_mcp.model.hosts import HostName


class ImportRequest(BaseModel):
    """How to take services over.

    ``stack`` is where they go (the main service's name when unset), ``main`` the text's own name of the service that
    ``name``, ``port`` (the container's web port) and ``subdomain`` are about: else the first with a web page.
    ``volumes`` "folders" turns named volumes into folders of the stack, "keep" leaves them. ``variables`` are values of
    non-secret variables that the text refers to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, Field(min_length=3, max_length=100_000)]
    stack: Name | None = None
    main: Annotated[str, Field(max_length=80)] = ""
    name: Name | None = None
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    subdomain: SubDomain | None = None
    sso: Literal["protect", "bypass"] | None = None
    sso_reason: Annotated[str, Field(max_length=200)] = ""
    volumes: Literal["folders", "keep"] = "folders"
    host: HostName | None = Field(default=None, description="Docker host of a new stack; this machine when unset.")
    variables: dict[VariableName, Annotated[str, Field(max_length=2000)]] = Field(default={}, max_length=60)
