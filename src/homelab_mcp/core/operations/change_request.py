"""What may be asked of a service that is there: change it, move it, connect it, give its files to their owner."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from homelab_mcp.core.operations.request import Name, SubDomain, VariableName, _Request
from homelab_mcp.model.definition import ResourceClass

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=500)]


class Limits(_Request):
    """What a service may use; what is unset stays as it is."""

    memory: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?[kKmMgG]?[bB]?$")] | None = None
    cpus: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")] | None = None
    pids: Annotated[int, Field(ge=16, le=4_194_304)] | None = None
    io_weight: Annotated[int, Field(ge=10, le=1000)] | None = None
    io_device: Annotated[str, Field(pattern=r"^/dev/[A-Za-z0-9][A-Za-z0-9/_.-]{0,60}$")] | None = None
    read_bps: Annotated[str, Field(pattern=r"^[1-9][0-9]*[kKmMgG]?[bB]?$")] | None = None
    write_bps: Annotated[str, Field(pattern=r"^[1-9][0-9]*[kKmMgG]?[bB]?$")] | None = None
    read_iops: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    write_iops: Annotated[int, Field(ge=1, le=10_000_000)] | None = None

    @property
    def rates(self) -> dict[str, str | int]:
        """What may be read from ``io_device`` and written to it in a second: bytes (20M) and operations."""
        named = ("read_bps", "write_bps", "read_iops", "write_iops")
        return {name: value for name in named if (value := getattr(self, name))}


class UpdateServiceRequest(_Request):
    """Change ``service`` of ``stack``; what is unset stays as it is."""

    stack: Name
    service: Annotated[str, Field(min_length=1, max_length=80)]
    tag: Word | None = None
    subdomain: SubDomain | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    sso: Literal["protect", "bypass"] | None = None
    sso_reason: Line = ""
    resources: ResourceClass | Literal["measured"] | None = None
    limits: Limits = Limits()
    gpu: Literal["on", "nvidia", "intel", "amd", "off"] | None = None
    volumes_add: tuple[Line, ...] = Field(default=(), max_length=20)
    volumes_remove: tuple[Line, ...] = Field(default=(), max_length=20)
    env_set: dict[VariableName, Line] = Field(default={}, max_length=40)
    env_unset: tuple[VariableName, ...] = Field(default=(), max_length=40)
    health: Line | None = None
    health_reason: Line = ""
    replicas: Annotated[int, Field(ge=1, le=20)] | None = None
    restart: Literal["no", "always", "on-failure", "unless-stopped"] | None = None
    repairs: tuple[Line, ...] = Field(default=(), max_length=5)


class MoveServiceRequest(_Request):
    """Move ``service`` of ``stack`` to the stack ``to``, new or existing, with its data."""

    stack: Name
    service: Annotated[str, Field(min_length=1, max_length=80)]
    to: Name


class ConnectServicesRequest(_Request):
    """Let ``a`` reach ``b`` (each ``stack`` and ``service``).

    ``variables`` are given to ``a``: ``{host}``, ``{port}`` and ``{url}`` in a value stand for ``b``'s.
    """

    a_stack: Name
    a: Annotated[str, Field(min_length=1, max_length=80)]
    b_stack: Name
    b: Annotated[str, Field(min_length=1, max_length=80)]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    network: Name | None = None
    variables: dict[VariableName, Line] = Field(default={}, max_length=20)
