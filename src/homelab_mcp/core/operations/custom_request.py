"""What a person or a model may ask for a service that the catalog does not have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.core.operations.request import Name, SubDomain, VariableName
from homelab_mcp.model.definition import Category, ResourceClass
from homelab_mcp.model.hosts import HostName

ImageReference = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$",
        max_length=300,
    ),
]
Some = Field(default=(), max_length=20)
Words = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class CustomRequest(BaseModel):
    """One service by its image.

    ``port`` is the container's web port (0: what the image says). ``publish`` are ``HOST:CONTAINER[/udp]``. ``volumes``
    are ``/target``, ``NAME:/target[:ro]`` (a folder of the service), ``media:/target``, ``downloads:/target`` or
    ``/host/path:/target[:ro]``. ``generate`` names variables that get a new secret, ``ask`` those whose secret a
    person sets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[Name, Field(min_length=2)]
    image: ImageReference
    stack: Name | None = None
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    scheme: Literal["http", "https"] = "http"
    publish: tuple[Annotated[str, Field(pattern=r"^[0-9]{1,5}:[0-9]{1,5}(/(tcp|udp))?$")], ...] = Some
    volumes: tuple[Annotated[str, Field(max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")], ...] = Some
    environment: dict[VariableName, Annotated[str, Field(max_length=2000)]] = Field(default={}, max_length=60)
    generate: tuple[VariableName, ...] = Some
    ask: tuple[VariableName, ...] = Some
    command: Annotated[str, Field(max_length=2000)] = ""
    user: Annotated[str, Field(pattern=r"^([0-9]{1,10}(:[0-9]{1,10})?|lab|)$")] = ""
    health: Annotated[str, Field(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    subdomain: SubDomain | None = None
    sso: Literal["protect", "bypass"] = "protect"
    sso_reason: Words = ""
    resources: ResourceClass = "web"
    gpu: Literal["", "nvidia", "vaapi"] = ""
    category: Category = "utilities"
    title: Words = ""
    icon: Words = ""
    description: Words = ""
    host: HostName | None = Field(default=None, description="Docker host of a new stack; this machine when unset.")
