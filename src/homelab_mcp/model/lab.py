"""A lab's settings: what every stack shares, kept in ``homelab.yaml`` at the lab's root."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

SETTINGS_FILE = "homelab.yaml"
PRIVATE_FOLDER = ".homelab"
SHARED_ENV = "global.env"
"""Variables of every stack, at the lab's root, as Dockge has them; a stack's own ``.env`` goes before it."""

CHECKS_FOLDER = "checks"
"""Below the private folder: stacks laid out for Compose's look, of links alone."""

TRASH = f"{PRIVATE_FOLDER}/trash"
"""Where data that is to go is kept for a while; git knows nothing of it."""

TRASH_DAYS = 30

COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""File names in the order Compose itself looks for them (compose-go, ``DefaultFileNames``)."""

OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""What Compose merges over a default file, whatever that is called: the first of these beside it."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""Stack and service names: Compose's project-name rule, with a length that fits a DNS label."""

_DOMAIN = re.compile(r"^(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")


class Acme(BaseModel):
    """How Traefik gets certificates.

    ``challenge`` is ACME's (RFC 8555 section 8): ``dns`` needs ``dns_provider`` (a lego provider name) and its
    variables; ``tls`` and ``http`` need ports 443 or 80 reachable from the CA.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    challenge: Literal["dns", "http", "tls"] = "dns"
    dns_provider: str = "duckdns"
    ca_server: str | None = Field(default=None, description="ACME directory URL; Let's Encrypt when unset.")
    ca_certificate: str | None = Field(
        default=None,
        description="Host path of a PEM file that Traefik trusts for the CA's own API (private CAs).",
    )
    root_certificate: str | None = Field(
        default=None, description="Host path of the PEM file that served certificates chain to (private CAs)."
    )


RuleId = Annotated[str, Field(pattern=r"^HL[0-9]{3}$")]


class LintSettings(BaseModel):
    """How the linter's rules are set for this lab; ``homelab-mcp rules`` lists them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ignore: tuple[RuleId, ...] = Field(default=(), description="Rules that are not run.")
    severity: dict[RuleId, Literal["error", "warning", "info"]] = Field(
        default={}, description="Rules whose findings count as something else."
    )


class LabSettings(BaseModel):
    """What every stack of a lab shares. No secret belongs here: this file is in git."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: str = Field(description="Services are reached at <subdomain>.<domain>.")
    email: str = Field(default="", description="For the ACME account.")
    timezone: str = "Etc/UTC"
    puid: Annotated[int, Field(ge=0, le=4294967294)] = 1000
    pgid: Annotated[int, Field(ge=0, le=4294967294)] = 1000
    media_dir: str = "/mnt/media"
    downloads_dir: str = "/mnt/downloads"
    bind_address: str = Field(default="0.0.0.0", description="Host address Traefik's ports are published on.")  # noqa: S104
    http_port: Annotated[int, Field(ge=1, le=65535)] = 80
    https_port: Annotated[int, Field(ge=1, le=65535)] = 443
    acme: Acme = Acme()
    docker_socket: str = "/var/run/docker.sock"
    route_network: str = "traefik-network"
    internal_network: str = "homelab-network"
    sso_middleware: str = Field(default="authelia@docker", description="The router middleware that asks for log-in.")
    backup_paths: tuple[str, ...] = Field(
        default=(), description="Host folders that a backup covers, besides the lab's own; none: nobody has said."
    )
    lint: LintSettings = LintSettings()

    @field_validator("domain")
    @classmethod
    def _valid_domain(cls, value: str) -> str:
        if not _DOMAIN.match(value):
            raise ValueError("not a domain name such as example.duckdns.org (lower case, at least one dot)")
        return value

    @field_validator("timezone", "media_dir", "downloads_dir", "bind_address", "docker_socket", "email")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise ValueError("control characters are not allowed")
        return value
