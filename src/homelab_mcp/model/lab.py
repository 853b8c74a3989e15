"""A lab's settings: what every stack shares, kept in ``homelab.yaml`` at the lab's root."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from homelab_mcp.model.catalog_source import CatalogName, CatalogSource
from homelab_mcp.model.external import ExternalName, ExternalRoute

SETTINGS_FILE = "homelab.yaml"
PRIVATE_FOLDER = ".homelab"
HOSTS_FILE = "hosts.yaml"
"""The Docker hosts beside the lab's own machine, at the lab's root; most labs have none."""

LOCAL = "local"
"""The engine of the machine that the lab's folder is on: always there, and where a stack runs that says nothing."""

SECTION = "x-homelab"
"""The top-level key of a compose file that holds what this project must know of the stack; Compose ignores it."""

SHARED_ENV = "global.env"
"""Variables of every stack, at the lab's root, as Dockge has them; a stack's own ``.env`` goes before it."""

CHECKS_FOLDER = "checks"
"""Below the private folder: stacks laid out for Compose's look, of links alone."""

TRASH = f"{PRIVATE_FOLDER}/trash"
"""Where data that is to go is kept for a while; git knows nothing of it."""

TRASH_DAYS = 30

DATABASE_ENDINGS = (".db", ".sqlite", ".sqlite3", ".db3")
"""What files of SQLite are mostly called."""

DATABASE_LOGS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside such a file while it is at work, and after a crash (sqlite.org, "Temporary Files Used By
SQLite"): the one without the other is another database, or a broken one."""

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


Resolver = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]-]{1,80}$")]
EnvName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,79}$")]


class Acme(BaseModel):
    """How Traefik gets certificates.

    ``challenge`` is ACME's (RFC 8555 section 8): ``dns`` needs ``dns_provider`` (a lego provider name) and its
    variables, and gives one certificate for the domain and everything right below it; ``tls`` and ``http`` need ports
    443 or 80 reachable from the CA. ``none`` asks no CA: certificates are the person's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    challenge: Literal["dns", "http", "tls", "none"] = "dns"
    dns_provider: str = "duckdns"
    dns_variables: tuple[EnvName, ...] = Field(
        default=(),
        max_length=12,
        description="Variables that a provider wants which is in no table here, as lego's documentation names them.",
    )
    staging: bool = Field(default=False, description="Let's Encrypt's staging CA: to try out, trusted by no browser.")
    resolvers: tuple[Resolver, ...] = Field(
        default=(), description="DNS servers that are asked whether the challenge's record is there; the provider's."
    )
    propagation_wait: Annotated[int, Field(ge=0, le=1800)] = Field(
        default=0, description="Seconds to wait for the record instead of asking; 0: ask."
    )
    ca_server: str | None = Field(default=None, description="ACME directory URL; Let's Encrypt when unset.")
    ca_certificate: str | None = Field(
        default=None,
        description="Host path of a PEM file that Traefik trusts for the CA's own API (private CAs).",
    )
    root_certificate: str | None = Field(
        default=None, description="Host path of the PEM file that served certificates chain to (private CAs)."
    )


CertificateName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class TraefikSettings(BaseModel):
    """How the lab's Traefik works beyond its certificates.

    ``docker_access`` ``proxy`` puts a filtering proxy between it and Docker's socket.
    ``access_log`` ``stdout`` is where ``read_logs`` and ``docker logs`` find it; ``file`` is ``logs/access.log`` in
    Traefik's folder, for programs that read files, twice 10 MiB at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    docker_access: Literal["proxy", "socket"] = "proxy"
    access_log: Literal["stdout", "file"] = "stdout"
    rate_limit: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=100, description="Requests a second that one client address may make on average; 0: any number."
    )
    certificates: tuple[CertificateName, ...] = Field(
        default=(), description="The person's own: <name>.crt and <name>.key in Traefik's folder 'certificates'."
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
    traefik: TraefikSettings = TraefikSettings()
    docker_socket: str = "/var/run/docker.sock"
    route_network: str = "traefik-network"
    internal_network: str = "homelab-network"
    media_network: str = Field(default="media-network", description="What media services share besides.")
    vpn_provider: str = Field(default="", description="What the VPN gateway is set up for unless told otherwise.")
    sso_middleware: str = Field(default="authelia@docker", description="The router middleware that asks for log-in.")
    backup_paths: tuple[str, ...] = Field(
        default=(), description="Host folders that a backup covers, besides the lab's own; none: nobody has said."
    )
    lint: LintSettings = LintSettings()
    external: dict[ExternalName, ExternalRoute] = Field(
        default={}, description="What is routed to and runs outside of this lab, by name."
    )
    catalogs: dict[CatalogName, CatalogSource] = Field(
        default={}, description="Catalogs of others that services may be added from, by name."
    )

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
