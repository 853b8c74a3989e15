"""From a request about an image to a definition, so that the generator treats it like the catalog's services."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core.generator import Generated
from homelab_mcp.core.importing.custom_volumes import volumes_of
from homelab_mcp.core.operations.custom_request import CustomRequest
from homelab_mcp.core.redact import is_secret_name
from homelab_mcp.core.redact_shapes import has_token
from homelab_mcp.core.references import literal
from homelab_mcp.core.shellwords import split
from homelab_mcp.model.definition import (
    LAB_VARIABLES,
    Container,
    ContainerPort,
    Generate,
    HealthCheck,
    Homepage,
    Image,
    Links,
    Route,
    ServiceDefinition,
    Source,
    Sso,
    Variable,
)
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.lab import LabSettings

CUSTOM = "custom"
"""The id of a definition that no catalog holds: what ``homelab.service`` says of such a service."""

WEB_PORTS = (80, 8080, 3000, 8000, 5000, 8081, 8888, 9000, 443, 8443)
"""Ports that web pages mostly listen on, the likeliest first."""

NOT_WEB = frozenset({21, 22, 23, 25, 53, 110, 143, 465, 587, 993, 995, 1883, 8883, 5671, 5672, 6667, 51820})
HTTPS_PORTS = frozenset({443, 8443, 9443})
_STAND_IN = Image(repository="custom", tag="0")
"""In the definition, whose images are pinned; the reference that was asked for takes its place."""

_LAB_REFERENCE = re.compile(r"\$\{(" + "|".join(LAB_VARIABLES) + r")\}")
_OF_A_USER = ("lscr.io/linuxserver/", "linuxserver/", "ghcr.io/linuxserver/")


@dataclass(frozen=True, slots=True)
class Custom:
    """A definition, the image as it was asked for, what was assumed, and host folders besides the lab's own."""

    definition: ServiceDefinition
    image: str
    assumed: tuple[str, ...]
    outside: tuple[str, ...]
    gpu: str = ""

    def finished(self, made: Generated) -> Generated:
        """What was generated, with the image itself and the graphics card."""
        block = {**made.services[made.name], "image": self.image}
        if self.gpu == "vaapi":
            block["devices"] = [*block.get("devices", []), "/dev/dri:/dev/dri"]
        elif self.gpu == "nvidia":
            block["deploy"] = with_nvidia(block["deploy"])
        return replace(made, services={**made.services, made.name: block})


def with_nvidia(deploy: dict[str, Any]) -> dict[str, Any]:
    """A ``deploy`` block that also reserves NVIDIA's cards (Compose specification, deploy, devices)."""
    resources = deploy.get("resources", {})
    cards = [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    reservations = {**resources.get("reservations", {}), "devices": cards}
    return {**deploy, "resources": {**resources, "reservations": reservations}}


def custom_of(request: CustomRequest, facts: ImageFacts | None, settings: LabSettings, root: str) -> Custom:
    """The definition of a service by its image.

    Args:
        request: what was asked.
        facts: what the image says of itself; None where it is not on the engine.
        settings: the lab's.
        root: the lab's absolute path.

    Raises:
        InvalidInput: a volume, value or command that does not fit, or a mount that is refused.
    """
    assumed: list[str] = []
    if facts is None:
        assumed.append(
            f"{request.image} is not on this machine yet, so its ports, volumes and user are assumed to be as given."
        )
    port = request.port or web_port([n for n, kind in facts.ports if kind == "tcp"] if facts else [])
    if port and not request.port:
        assumed.append(f"Its web page is at port {port}, by what the image exposes.")
    if not port:
        assumed.append("It has no web page, so it gets no route; give 'port' where it has one.")
    volumes, outside = volumes_of(request, facts, settings, root, assumed)
    if facts and not facts.is_root and volumes and not request.user:
        assumed.append(f"It runs as {facts.user}: its folders must belong to that user, or give 'user'.")
    health = _health(request, facts, assumed)
    image = _image(request.image, assumed)
    variables, environment = _environment(request, facts)
    container = Container(
        image=_STAND_IN,
        command=_command(request.command),
        user={"lab": "${PUID}:${PGID}", "": None}.get(request.user, request.user),
        environment=environment,
        ports=[
            *([ContainerPort(container=port, purpose="web")] if port else []),
            *(_published(p, request.name) for p in request.publish),
        ],
        volumes=volumes,
        health=health,
        health_note="" if health else "The image brings one, or nobody has said how to ask it.",
        resources=request.resources,
    )
    definition = _definition(request, container, port, variables)
    return Custom(definition, image, tuple(assumed), tuple(outside), request.gpu)


def _definition(
    request: CustomRequest, container: Container, port: int, variables: list[Variable]
) -> ServiceDefinition:
    title = request.title or request.name.replace("-", " ").title()
    homepage = Homepage(
        group=request.category.replace("-", " ").title(),
        icon=request.icon or f"{request.name}.png",
        description=request.description or title,
    )
    return ServiceDefinition(
        id=CUSTOM,
        name=title,
        summary=f"A service of the image {request.image}"[:160],
        category=request.category,
        level="draft",
        stack=request.name,
        links=Links(upstream="", documentation=""),
        sources=[Source(facts="all", where="the request, and the image's own configuration")],
        container=container,
        variables=variables,
        route=_route(request, port) if port else None,
        homepage=homepage if port else None,
        **_NOTHING_KNOWN,
    )


_NOTHING_KNOWN: dict[str, Any] = {
    "lazy": {"ok": False, "why": "Nobody has said that it may sleep."},
    "vpn": {"use": "no", "why": "Nobody has said that it may."},
    "gpu": {"use": "none", "why": "As asked for."},
    "backup": {"notes": "Its folders."},
}


def plain_definition(name: str, port: int, scheme: str, title: str, **homepage: str) -> ServiceDefinition:
    """The least that labels are made from: a page at a port, or (0) none. ``homepage``: group, icon, description."""
    request = CustomRequest(name=name, image="custom:0", port=port, title=title)
    made = custom_of(request, ImageFacts(), LabSettings(domain="lab.invalid"), "/").definition
    route = made.route.model_copy(update={"scheme": scheme}) if made.route else None
    shown = made.homepage.model_copy(update={k: v for k, v in homepage.items() if v}) if made.homepage else None
    return made.model_copy(update={"route": route, "homepage": shown})


def web_port(ports: list[int]) -> int:
    """The port that is most likely a web page's; 0 where none is."""
    from homelab_mcp.core.checks.images import DATABASE_PORTS

    able = [p for p in ports if p not in NOT_WEB and p not in DATABASE_PORTS]
    return next((p for p in WEB_PORTS if p in able), able[0] if able else 0)


def _route(request: CustomRequest, port: int) -> Route:
    why = request.sso_reason.strip()
    if request.sso == "bypass" and not why:
        raise InvalidInput(
            "Going without the lab's log-in needs a reason.",
            hint="Give 'sso_reason' in a sentence.",
            code="reason_needed",
        )
    # The definition itself protects, so that a bypass counts as the person's own and needs its reason.
    sso = Sso(policy="protect", why="Nobody has said that it may go without.")
    return Route(port=port, scheme=request.scheme, subdomain=_dns(request.subdomain or request.name), sso=sso)


def _dns(name: str) -> str:
    return name.replace("_", "-").strip("-")[:63] or "service"


def _published(text: str, name: str) -> ContainerPort:
    body, _, protocol = text.partition("/")
    host, _, container = body.partition(":")
    kind: Any = protocol or "tcp"
    return ContainerPort(
        container=int(container), protocol=kind, publish=int(host), why=f"Asked for when {name} was added."
    )


def _health(request: CustomRequest, facts: ImageFacts | None, assumed: list[str]) -> HealthCheck | None:
    if request.health:
        return HealthCheck(test=["CMD-SHELL", literal(request.health)])
    if facts and facts.health:
        assumed.append("The image's own health check is used.")
    else:
        assumed.append("It has no health check; give 'health', a command that fails when it is ill.")
    return None


def _image(reference: str, assumed: list[str]) -> str:
    tagged = ":" in reference.rpartition("/")[2] or "@" in reference
    if tagged and not reference.endswith(":latest"):
        return reference
    assumed.append(f"{reference} names no release, so another pull may bring another program; pin a tag.")
    return reference if tagged else f"{reference}:latest"


def _command(text: str) -> list[str] | None:
    if not text.strip():
        return None
    words = split(text)
    if words is None or words.lost:
        raise InvalidInput(
            "The command is not one that Compose can take as words.",
            hint="Close its quotes; for a shell write sh -c '...'.",
            code="bad_command",
        )
    return [literal(word) for word in words.words]


def _environment(request: CustomRequest, facts: ImageFacts | None) -> tuple[list[Variable], dict[str, str]]:
    of_a_user = request.image.startswith(_OF_A_USER) or bool(facts and {"PUID", "PGID"} & set(facts.variables))
    environment = {"TZ": "${TZ}", **({"PUID": "${PUID}", "PGID": "${PGID}"} if of_a_user else {})}
    for name, value in request.environment.items():
        if (is_secret_name(name) and value and not name.endswith("_FILE")) or has_token(value):
            raise InvalidInput(
                f"{name} looks like a secret, and secrets do not pass through a request.",
                hint="Name it in 'generate' for a new random value, or in 'ask' so that a person sets it.",
                code="secret_in_argument",
            )
        environment[name] = _value(name, value)
    variables: list[Variable] = []
    for name in dict.fromkeys((*request.generate, *request.ask)):
        variable = variable_name(request.name, name)
        made = Generate() if name in request.generate else None
        variables.append(Variable(name=variable, description=f"{name} of {request.name}.", secret=True, generate=made))
        environment[name] = f"${{{variable}}}"
    return variables, environment


def _value(name: str, value: str) -> str:
    if "@{" in value or any(ord(c) < 32 for c in value):
        raise InvalidInput(f"The value of {name} cannot be written into a compose file.", code="bad_value")
    pieces = _LAB_REFERENCE.split(value)
    return "".join(f"${{{p}}}" if n % 2 else literal(p) for n, p in enumerate(pieces))


def variable_name(service: str, name: str) -> str:
    """The name in the stack's ``.env`` of a service's own variable: with the service in front, so that none clash."""
    front = re.sub(r"[^A-Z0-9]+", "_", service.upper())
    plain = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    whole = plain if plain.startswith(f"{front}_") else f"{front}_{plain}"
    return (whole if whole[:1].isalpha() else f"V_{whole}")[:63]


__all__ = ["CUSTOM", "Custom", "custom_of", "plain_definition", "variable_name", "web_port", "with_nvidia"]
