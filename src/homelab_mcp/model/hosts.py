"""The Docker hosts of a lab beside its own machine, kept in ``hosts.yaml`` at the lab's root.

Source of the addresses' forms: Docker's reference of ``DOCKER_HOST`` and "Protect the Docker daemon socket".
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from homelab_mcp.model.lab import LOCAL

HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_UNIX = re.compile(r"unix:///[A-Za-z0-9._/-]{1,100}")


class DockerHost(BaseModel):
    """One Docker host.

    ``tcp://`` goes with mutual TLS only: without it whoever reaches the port is root on that machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(description="unix:///path, ssh://[user@]host[:port] or tcp://host:port.")
    certificates: Annotated[str, Field(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")] = Field(
        default="",
        description="For tcp://: folder with ca.pem, cert.pem and key.pem; relative to the lab's root or absolute.",
    )
    timeout: Annotated[float, Field(ge=0.5, le=120)] = Field(
        default=5.0, description="Seconds that a look at it may take before it counts as silent."
    )

    private: str = Field(
        default="",
        description="IP address in your own network or VPN that routes to its services go to; unset: that of address.",
    )

    @field_validator("private")
    @classmethod
    def _in_a_private_network(cls, value: str) -> str:
        if value and not is_private(value):
            raise ValueError("not an IP address of a private network such as 192.168.1.20, 10.8.0.2 or fd00::2")
        return value

    @field_validator("address")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not re.fullmatch(r"[\x21-\x7e]{1,300}", value):
            raise ValueError("an address is one word")
        if _UNIX.fullmatch(value):
            return value
        try:
            parts = urlsplit(value)
            port, host, user = parts.port, parts.hostname or "", parts.username
        except ValueError:
            parts, port, host, user = urlsplit(""), None, "", None
        if parts.scheme not in {"ssh", "tcp"} or not (_HOST.fullmatch(host) or _is_v6(host)):
            raise ValueError("not an address such as ssh://root@nas.lan, tcp://nas.lan:2376 or unix:///run/docker.sock")
        if parts.password or parts.path not in {"", "/"} or parts.query or parts.fragment or port == 0:
            raise ValueError("only user, host and port belong into an address")
        if parts.scheme == "tcp" and (user is not None or port is None):
            raise ValueError("tcp:// takes host and port, such as tcp://nas.lan:2376")
        if user is not None and not _USER.fullmatch(user):
            raise ValueError("not a user name")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _with_tls(self) -> DockerHost:
        if self.address.startswith("tcp://") != bool(self.certificates):
            raise ValueError("tcp:// and 'certificates' go together; `homelab-mcp host tls` makes them")
        return self

    @property
    def kind(self) -> str:
        """unix, ssh or tcp."""
        return self.address.partition(":")[0]

    @property
    def routes_to(self) -> str:
        """Where its services' ports are published for the core host's Traefik; "" where no such address is known."""
        host = urlsplit(self.address).hostname or ""
        return self.private or (host if is_private(host) else "")


class HostsSettings(BaseModel):
    """What ``hosts.yaml`` may hold. Only a person edits the file: no tool writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hosts: dict[HostName, DockerHost] = {}

    @field_validator("hosts")
    @classmethod
    def _not_local(cls, value: dict[str, DockerHost]) -> dict[str, DockerHost]:
        if LOCAL in value:
            raise ValueError(f"'{LOCAL}' is this machine's own engine; give another name")
        return value


@dataclass(frozen=True, slots=True)
class HostLook:
    """One host at one moment.

    Args:
        name: its name.
        address: where it is.
        error: why it is not reached; "" where it answered.
        hint: what to do about that.
        version: its engine's version.
        cpus: how many it has.
        memory: bytes.
        running: containers that run there.
        milliseconds: how long it took to answer.
        days_left: until the client's certificate ends; None without one.
    """

    name: str
    address: str
    error: str = ""
    hint: str = ""
    version: str = ""
    cpus: int = 0
    memory: int = 0
    running: int = 0
    milliseconds: int = 0
    days_left: int | None = None


@dataclass(frozen=True, slots=True)
class TlsFile:
    """A certificate for a Docker host: what it is for, where it is, whom it names, and when it ends (Unix seconds)."""

    role: str
    path: str
    names: tuple[str, ...]
    ends: float


class CaStage(StrEnum):
    """How far one host is on the way from the old CA to the new one."""

    OLD = "old"
    """Nothing is made for it yet."""
    COPY = "copy"
    """Its new certificate is made here, and it still shows the old one."""
    SWITCH = "switch"
    """It shows the new certificate and trusts both CAs: this machine's certificate can change."""
    NARROW = "narrow"
    """Both certificates are of the new CA, and it still trusts the old one."""
    DONE = "done"
    """It turns away who comes with a certificate of the old CA."""
    UNASKED = "unasked"
    """It is in no hosts.yaml, so nobody knows where to ask it."""


@dataclass(frozen=True, slots=True)
class CaHost:
    """One host during a change of the CA; ``error`` where it does not answer, its stage then by files alone."""

    name: str
    stage: CaStage
    error: str = ""


def is_private(text: str) -> bool:
    """Whether this is an IP address that the internet does not lead to (RFC 1918, 4193, and 6598 as VPNs use it)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast:
        return False
    return (address.is_private and not address.is_reserved) or address in _SHARED


def _is_v6(host: str) -> bool:
    return ":" in host and bool(re.fullmatch(r"[0-9a-fA-F:.]{2,45}", host))
