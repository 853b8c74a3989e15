"""The containers of a service definition: image, ports, volumes, health check and what they may do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from homelab_mcp.model.lab import NAME_PATTERN

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Duration = Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m|h)$")]
Port = Annotated[int, Field(ge=1, le=65535)]

ResourceClass = Literal["tiny", "web", "database", "media", "downloader", "heavy", "monitoring", "large", "model"]

KEPT = frozenset({"config", "data", "database", "cache"})
"""Kinds of volume that are a folder of the container's own, below its stack."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Image(_Part):
    """A pinned image; ``registry/name`` in ``repository``, never ``latest`` in ``tag``."""

    repository: Annotated[str, Field(pattern=r"^[a-z0-9]+([._/-]+[a-z0-9]+)*$")]
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _pinned(self) -> Image:
        if self.tag in {"latest", "stable", "nightly", "edge", "main", "master", "develop"}:
            raise ValueError(f"tag {self.tag!r} moves; pin a release")
        return self

    @property
    def reference(self) -> str:
        """The reference as Compose takes it: ``repository:tag[@digest]``."""
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


class ContainerPort(_Part):
    """A port the container listens on.

    ``purpose`` web is what the route leads to. ``publish`` is the host port to publish it on where the service
    cannot work through the proxy (DNS, torrent peers); the reason is then needed.
    """

    container: Port
    protocol: Literal["tcp", "udp"] = "tcp"
    purpose: Literal["web", "api", "metrics", "peer", "other"] = "other"
    publish: Port | None = None
    why: str = ""

    @model_validator(mode="after")
    def _reasoned(self) -> ContainerPort:
        if self.publish is not None and not self.why:
            raise ValueError("a published port needs a reason in 'why'")
        return self


class Volume(_Part):
    """Where the container keeps or reads data.

    Kinds: config and data live in the stack's folder under ``<service>/<name>`` (name defaults to the kind);
    database the same, backed up by dump; cache the same, never backed up; media and downloads are the lab's
    folders; stacks is the lab's root (same path inside); host is an absolute path of the host in ``source``, socket
    the Docker socket: both need ``why``. ``shared``, in a companion: the main container's folder of that name.
    ``owner``: whose the folder must be when the container starts, where that is neither the lab's user nor ``user``.
    """

    kind: Literal["config", "data", "database", "cache", "media", "downloads", "stacks", "host", "socket"]
    target: Annotated[str, Field(pattern=r"^/[^\x00-\x1f:]*$")] | None = None
    name: Name | None = None
    source: Annotated[str, Field(pattern=r"^/[^\x00-\x1f:]*$")] | None = None
    read_only: bool = False
    shared: bool = False
    owner: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}:[0-9]{1,9}$")] | None = None
    why: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Volume:
        if self.owner and (self.kind not in KEPT or self.shared):
            raise ValueError("'owner' is for a folder of the container's own: config, data, database or cache")
        if self.kind in {"host", "socket", "stacks"} and not self.why:
            raise ValueError(f"a {self.kind} volume needs a reason in 'why'")
        if self.kind == "host" and not self.source:
            raise ValueError("a host volume needs 'source'")
        if self.target is None and self.kind not in {"stacks", "socket"}:
            raise ValueError(f"a {self.kind} volume needs 'target'")
        return self


class HealthCheck(_Part):
    """Compose's ``healthcheck``; every program in ``test`` must exist in the image."""

    test: list[str] = Field(min_length=2, description='["CMD", ...] or ["CMD-SHELL", "..."]')
    interval: Duration = "30s"
    timeout: Duration = "10s"
    retries: Annotated[int, Field(ge=1, le=20)] = 3
    start_period: Duration = "30s"


class Privilege(_Part):
    """One thing a container may do beyond the default, with its reason."""

    kind: Literal["capability", "device", "sysctl", "host_network", "host_pid", "privileged", "new_privileges"]
    value: str = ""
    why: str = Field(min_length=3)


class Container(_Part):
    """One container of a service."""

    image: Image
    command: list[str] | None = None
    user: str | None = Field(default=None, description="'uid:gid', or '${PUID}:${PGID}'. Unset: the image's own.")
    user_note: str = Field(default="", description="Why it is not run as the lab's user, where it is not.")
    environment: dict[str, str] = {}
    ports: list[ContainerPort] = []
    volumes: list[Volume] = []
    health: HealthCheck | None = None
    health_note: str = Field(default="", description="Why there is no health check, where there is none.")
    resources: ResourceClass
    privileges: list[Privilege] = []
    tmpfs: list[str] = []
    shm_size: str | None = None
    labels: dict[str, str] = {}
    stop_grace_period: Duration | None = None


class Companion(Container):
    """A container the service needs beside it: its database, cache, worker or VPN gateway, or its way to Docker.

    With databases, caches and proxies alone, the network that they share with the service has no way out.
    """

    role: Literal["database", "cache", "worker", "vpn", "proxy"]
    wait: Literal["healthy", "started"] = "healthy"
