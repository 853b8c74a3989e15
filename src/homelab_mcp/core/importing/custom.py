"""From a request about an image to a definition, so that the generator treats it like the catalog's services."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core.generator import Generated
from homelab_mcp.core.importing.mounts import Place, place_of
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
    Route,
    ServiceDefinition,
    Sso,
    Variable,
    Volume,
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
_NAMED = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
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
    volumes, outside = _volumes(request, facts, settings, root, assumed)
    health = _health(request, facts, assumed)
    image = _image(request.image, assumed)
    if facts and not facts.is_root and volumes and not request.user:
        assumed.append(f"It runs as {facts.user}: its folders must belong to that user, or give 'user'.")
    variables, environment = _environment(request, facts)
    title = request.title or request.name.replace("-", " ").title()
    ports = [ContainerPort(container=port, purpose="web")] if port else []
    definition = ServiceDefinition(
        id=CUSTOM,
        name=title,
        summary=f"A service of the image {request.image}"[:160],
        category=request.category,
        level="draft",
        stack=request.name,
        links={"upstream": "", "documentation": ""},
        sources=[{"facts": "all", "where": "the request, and the image's own configuration"}],
        container=Container(
            image=_STAND_IN,
            command=_command(request.command),
            user={"lab": "${PUID}:${PGID}", "": None}.get(request.user, request.user),
            environment=environment,
            ports=[*ports, *(_published(p, request.name) for p in request.publish)],
            volumes=volumes,
            health=health,
            health_note="" if health else "The image brings one, or nobody has said how to ask it.",
            resources=request.resources,
        ),
        variables=variables,
        route=_route(request, port) if port else None,
        homepage=Homepage(
            group=request.category.replace("-", " ").title(),
            icon=request.icon or f"{request.name}.png",
            description=request.description or title,
        )
        if port
        else None,
        **_NOTHING_KNOWN,
    )
    return Custom(definition, image, tuple(assumed), tuple(outside), request.gpu)


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


def _volumes(
    request: CustomRequest, facts: ImageFacts | None, settings: LabSettings, root: str, assumed: list[str]
) -> tuple[list[Volume], list[str]]:
    found: list[Volume] = []
    outside: list[str] = []
    for text in request.volumes:
        volume = _volume(text, settings, root)
        if volume is None:
            assumed.append(f"{text.partition(':')[0]} is left out: the time zone comes from TZ.")
            continue
        if volume.kind == "host":
            outside.append(volume.source or "")
        found.append(volume)
    targets = {v.target for v in found}
    for target in facts.volumes if facts else ():
        if not any(t and (t == target or target.startswith(f"{t}/")) for t in targets):
            found.append(Volume(kind="data", name=_folder(target, found), target=target))
            assumed.append(f"The image keeps data in {target}, so that is a folder of the stack.")
    return found, outside


def _volume(text: str, settings: LabSettings, root: str) -> Volume | None:
    parts = text.split(":")
    read_only = len(parts) > 1 and parts[-1] in {"ro", "rw"} and parts.pop() == "ro"
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1]) if len(parts) == 2 else ("", "")
    if not target.startswith("/") or "$" in text or "@{" in text:
        raise InvalidInput(
            f"{text!r} is no volume.",
            hint="Write /data, NAME:/data, media:/data, downloads:/data or /host/path:/data; :ro may follow.",
            code="bad_volume",
        )
    if source in {"media", "downloads"}:
        return Volume.model_validate({"kind": source, "target": target, "read_only": read_only})
    if not source.startswith("/"):
        name = source or _folder(target, [])
        if not _NAMED.fullmatch(name):
            raise InvalidInput(f"{source!r} is no name of a folder.", hint="Lower-case letters, digits, - and _.")
        return Volume(kind="data", name=name, target=target, read_only=read_only)
    place = place_of(source, settings, root)
    if place is Place.CLOCK:
        return None
    if place is Place.SOCKET:
        return Volume(kind="socket", target=target, read_only=read_only, why="Asked for when it was added.")
    return Volume(kind="host", source=source, target=target, read_only=read_only, why="Asked for when it was added.")


def _folder(target: str, others: list[Volume]) -> str:
    base = re.sub(r"[^a-z0-9_-]+", "-", posixpath.basename(target.rstrip("/")).lower()).strip("-_") or "data"
    return base if base not in {v.name for v in others} else f"{base}-{len(others)}"


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
