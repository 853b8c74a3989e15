"""A service definition: one catalog entry.

Text fields of ``environment``, ``command``, ``labels``, ``files`` and volumes may hold two kinds of reference:

* ``${NAME}``: a variable of the stack's ``.env``, left to Compose. NAME is one of the definition's ``variables`` or
  a lab setting (DOMAIN, TZ, PUID, PGID, MEDIA_DIR, DOWNLOADS_DIR).
* ``@{word}``: filled in by the generator. Words: ``service`` (the compose service's name), ``host``
  (``sub.${DOMAIN}``), ``url`` (``https://`` and the host), ``root`` (the lab's root folder, an absolute path),
  ``companion.<key>`` (a companion's service name), ``setting.<name>`` (a lab setting's value, in ``files`` and
  ``command`` only), ``argon2.<VARIABLE>`` (Argon2id hash of a generated secret, in secret ``files`` only).

Nobody interpolates ``files``: ``${NAME}`` has no meaning there, and ``host`` and ``url`` carry the lab's real domain.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from homelab_mcp.model.containers import (
    Companion,
    Container,
    ContainerPort,
    HealthCheck,
    Image,
    Name,
    Port,
    Privilege,
    ResourceClass,
    Volume,
)
from homelab_mcp.model.service_api import Api

__all__ = [
    "LAB_VARIABLES",
    "Backup",
    "Category",
    "Companion",
    "ConfigFile",
    "Container",
    "ContainerPort",
    "Failure",
    "Fitness",
    "Generate",
    "Gpu",
    "HealthCheck",
    "Homepage",
    "Image",
    "Level",
    "Links",
    "Metrics",
    "Privilege",
    "ResourceClass",
    "Route",
    "ServiceDefinition",
    "Source",
    "Sso",
    "Variable",
    "Volume",
    "Vpn",
]

VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,62}$")]

Level = Literal["draft", "generated", "deployed"]
"""draft: facts gathered. generated: passes generator, linter and ``docker compose config``. deployed: also started
behind a real Traefik in the project's tests (with a stand-in image where the real one cannot be pulled)."""

Category = Literal[
    "core",
    "infrastructure",
    "dashboards",
    "media",
    "media-management",
    "downloads",
    "productivity",
    "monitoring",
    "networking",
    "home-automation",
    "utilities",
    "development",
    "security",
    "communication",
    "ai",
    "games",
    "backup",
]

LAB_VARIABLES = ("DOMAIN", "TZ", "PUID", "PGID", "MEDIA_DIR", "DOWNLOADS_DIR")
"""Variables of a stack's ``.env`` that come from the lab's settings, so that a definition need not declare them."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """Where facts come from: which facts, and the repository and path, or the page's title and address."""

    facts: str
    where: str


class Links(_Part):
    """Where the service's own makers speak."""

    upstream: str
    documentation: str


class Generate(_Part):
    """How a secret is made; ``length`` in characters."""

    kind: Literal["hex", "base64", "alnum", "uuid"] = "alnum"
    length: Annotated[int, Field(ge=8, le=128)] = 32


class Variable(_Part):
    """A variable of the stack's ``.env`` that the service uses.

    ``required`` without ``default`` or ``generate`` is asked for. ``pattern`` is a full-match regular expression.
    """

    name: VariableName
    description: str
    required: bool = True
    default: str | None = None
    secret: bool = False
    generate: Generate | None = None
    pattern: str | None = None
    choices: list[str] | None = None

    @model_validator(mode="after")
    def _sane(self) -> Variable:
        if self.generate and not self.secret:
            raise ValueError("a generated variable is a secret")
        if self.secret and self.default:
            raise ValueError("a secret has no default; generate it or ask for it")
        return self


class Sso(_Part):
    """Who asks for log-in.

    protect: the lab's SSO. two_factor: that with a second factor. bypass: the service's own log-in or none, with the
    reason. portal: this service *is* the SSO. ``api_paths`` skip SSO under the first two (native apps, API keys).
    """

    policy: Literal["protect", "two_factor", "bypass", "portal"] = "protect"
    why: str = Field(min_length=3)
    api_paths: list[Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$")]] = []


class Route(_Part):
    """How the service is reached: the *container* port, and the default sub-domain."""

    port: Port
    scheme: Literal["http", "https"] = "http"
    subdomain: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    sso: Sso
    traefik_service: str | None = Field(default=None, description="A Traefik-internal service (api@internal).")
    own_certificate: bool = Field(
        default=False,
        description="It shows a certificate that it made for itself; Traefik does not check it, for this one alone.",
    )

    @model_validator(mode="after")
    def _secure(self) -> Route:
        if self.own_certificate and self.scheme != "https":
            raise ValueError("own_certificate is for scheme https")
        return self


class Fitness(_Part):
    """Whether a lab feature suits the service, and why."""

    ok: bool
    why: str = Field(min_length=3)


class Vpn(_Part):
    """recommended: routed through the VPN unless told otherwise; possible: only when asked; no: never."""

    use: Literal["recommended", "possible", "no"]
    why: str = Field(min_length=3)


class Gpu(_Part):
    """GPU use: none, or optional with the kinds it can use."""

    use: Literal["none", "optional"]
    kinds: list[Literal["nvidia", "vaapi"]] = []
    why: str = Field(min_length=3)


class Backup(_Part):
    """What to save, how to get it consistent (a dump command, run in ``container``), and what may be left out."""

    notes: str = Field(min_length=3)
    include: list[str] = []
    exclude: list[str] = []
    dump: list[str] | None = None
    dump_container: str | None = None


class Homepage(_Part):
    """The dashboard entry. ``widget`` is Homepage's own widget (type and fields); secrets only as ``${VAR}``."""

    group: str
    icon: str
    description: str
    widget: dict[str, str] | None = None


class Metrics(_Part):
    """Where Prometheus finds figures of the service, without a log-in, as it is set up here."""

    port: Port
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]*$")] = "/metrics"


class ConfigFile(_Part):
    """A file the service needs before its first start; never overwritten where it exists.

    ``path`` is relative to the service's folder in the stack. ``content`` is data written as YAML, or text.
    ``secret`` files have mode 0600 and stay out of git.
    """

    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$")]
    content: dict[str, Any] | str
    secret: bool = False
    mode: Annotated[int, Field(ge=0, le=0o777)] = 0o644


class Failure(_Part):
    """What a line of the service's logs means: a regular expression (searched for), the cause, and what to do."""

    pattern: Annotated[str, Field(min_length=2, max_length=200)]
    cause: str = Field(min_length=3)
    fix: str = Field(min_length=3)

    @model_validator(mode="after")
    def _compiles(self) -> Failure:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from None
        return self


class ServiceDefinition(_Part):
    """A catalog entry."""

    id: Name
    name: str
    aliases: list[str] = []
    replaces: list[str] = Field(default=[], description="Products that people would use instead, by their usual names.")
    keywords: list[Annotated[str, Field(max_length=40)]] = Field(
        default=[], max_length=30, description="Further words that people ask for it with; search reads them, no more."
    )
    summary: Annotated[str, Field(min_length=10, max_length=160)]
    category: Category
    level: Level
    stack: Name = Field(description="The stack it goes to when none is named.")
    links: Links
    sources: list[Source] = Field(min_length=1)
    license: str = ""
    container: Container
    companions: dict[Name, Companion] = {}
    gateway: Name | None = Field(default=None, description="The definition whose container is the VPN gateway.")
    variables: list[Variable] = []
    route: Route | None = None
    files: list[ConfigFile] = []
    metrics: Metrics | None = None
    api: Api | None = Field(default=None, description="What of its own API may be called.")
    lazy: Fitness
    vpn: Vpn
    gpu: Gpu
    backup: Backup
    homepage: Homepage | None = None
    requires: list[Name] = Field(default=[], description="Definitions that must be in the lab for it to work.")
    not_beside: list[Name] = Field(
        default=[], description="Definitions that cannot run on the same host: both need one port of it."
    )
    notes: list[str] = Field(default=[], description="What a person should know after adding it.")
    logs: list[str] = Field(default=[], description="Log files it writes, below the service's folder.")
    notices: str = Field(
        default="",
        description="A file of notices to people, below the service's folder: only to whom and about what is shown.",
    )
    failures: list[Failure] = Field(default=[], description="What lines of its logs mean.")
    minimum_memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*[MG]$")] | None = Field(
        default=None, description="What its makers ask the machine to have for it, where they say so."
    )
    architectures: list[Literal["amd64", "arm64", "arm"]] = ["amd64", "arm64"]
    upgrade: str = Field(default="", description="What to mind when the version changes.")

    @model_validator(mode="after")
    def _wired(self) -> ServiceDefinition:
        if (
            self.route
            and not self.route.traefik_service
            and self.route.port not in {p.container for p in self.container.ports}
        ):
            raise ValueError(f"route port {self.route.port} is not one of the container's ports")
        if self.metrics and self.metrics.port not in {p.container for p in self.container.ports}:
            raise ValueError(f"metrics port {self.metrics.port} is not one of the container's ports")
        if self.api and self.api.port is None and (self.route is None or self.route.traefik_service):
            raise ValueError("the API needs a port: no route says it")
        if not self.container.health and not self.container.health_note:
            raise ValueError("no health check: say why in 'health_note'")
        names = [v.name for v in self.variables]
        if len(names) != len(set(names)):
            raise ValueError("a variable is defined twice")
        return self
