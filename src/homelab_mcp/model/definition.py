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

from homelab_mcp.model.lab import NAME_PATTERN

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,62}$")]
Duration = Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m|h)$")]
Port = Annotated[int, Field(ge=1, le=65535)]

Level = Literal["draft", "generated", "deployed"]
"""draft: facts gathered. generated: passes generator, linter and ``docker compose config``. deployed: also started
behind a real Traefik in the project's tests (with a stand-in image where the real one cannot be pulled)."""

ResourceClass = Literal["tiny", "web", "database", "media", "downloader", "heavy", "monitoring", "large", "model"]

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

KEPT = frozenset({"config", "data", "database", "cache"})
"""Kinds of volume that are a folder of the container's own, below its stack."""

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

    protect: the lab's SSO. bypass: the service's own log-in or none, with the reason. portal: this service *is* the
    SSO. ``api_paths`` skip SSO under protect (native apps, API keys).
    """

    policy: Literal["protect", "bypass", "portal"] = "protect"
    why: str = Field(min_length=3)
    api_paths: list[Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$")]] = []


class Route(_Part):
    """How the service is reached: the *container* port, and the default sub-domain."""

    port: Port
    scheme: Literal["http", "https"] = "http"
    subdomain: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    sso: Sso
    traefik_service: str | None = Field(default=None, description="A Traefik-internal service (api@internal).")


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
    lazy: Fitness
    vpn: Vpn
    gpu: Gpu
    backup: Backup
    homepage: Homepage | None = None
    requires: list[Name] = Field(default=[], description="Definitions that must be in the lab for it to work.")
    notes: list[str] = Field(default=[], description="What a person should know after adding it.")
    logs: list[str] = Field(default=[], description="Log files it writes, below the service's folder.")
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
        if not self.container.health and not self.container.health_note:
            raise ValueError("no health check: say why in 'health_note'")
        names = [v.name for v in self.variables]
        if len(names) != len(set(names)):
            raise ValueError("a variable is defined twice")
        return self
