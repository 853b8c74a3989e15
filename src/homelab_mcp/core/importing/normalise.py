"""Somebody's services to the lab's conventions: names, networks, routes, limits, with what was changed and lost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core import labels
from homelab_mcp.core.checks.images import DATABASES
from homelab_mcp.core.importing import keys
from homelab_mcp.core.importing.custom import HTTPS_PORTS, plain_definition
from homelab_mcp.core.importing.names import Named, name_services
from homelab_mcp.core.importing.parsed import Parsed
from homelab_mcp.core.importing.ports import Chosen, choose, ports_of
from homelab_mcp.core.importing.variables import Values, pairs_of
from homelab_mcp.core.importing.volumes import Mounts
from homelab_mcp.core.operations.import_request import ImportRequest
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.plan import Risk, RiskReason

_LABEL_PORT = re.compile(r"traefik\.http\.services\.[^.]+\.loadbalancer\.server\.(port|scheme)", re.IGNORECASE)
_LABEL_HOST = re.compile(r"Host\(\s*[`\"']([a-z0-9-]+)\.", re.IGNORECASE)
_NOT_OURS = ("traefik.", "homepage.", "homelab.", "com.docker.compose.", "sablier.")


@dataclass(slots=True)
class Imported:
    """What a stack gains, and what is said of it. ``routes`` by service; ``once``: those that run to their end."""

    main: str
    definition: ServiceDefinition
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    volumes: dict[str, Any] = field(default_factory=dict)
    routes: dict[str, labels.Access] = field(default_factory=dict)
    once: tuple[str, ...] = ()
    changed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    risks: list[RiskReason] = field(default_factory=list)


@dataclass(slots=True)
class _Work:
    parsed: Parsed
    request: ImportRequest
    settings: LabSettings
    facts: Mapping[str, ImageFacts]
    values: Values
    mounts: Mounts
    shared_certificates: bool
    named: Named
    chosen: dict[str, Chosen]


def normalise(
    parsed: Parsed,
    request: ImportRequest,
    settings: LabSettings,
    *,
    facts: Mapping[str, ImageFacts],
    values: Values,
    root: str,
    shared_certificates: bool,
) -> Imported:
    """The lab's own form of somebody's services.

    Args:
        parsed: what they wrote.
        request: how it is to be added.
        settings: the lab's.
        facts: what images on the engine say of themselves, by reference.
        values: settles variables; holds what goes to ``.env`` afterwards.
        root: the lab's absolute path.
        shared_certificates: whether Traefik's entry point says where certificates come from.

    Raises:
        InvalidInput: ``build_only``, ``mount_refused``, ``missing_input``, ``not_compose``.
    """
    lost = list(parsed.lost)
    chosen = _ports(parsed, request, facts, settings, lost)
    named = name_services(parsed.services, request, {n: c.web for n, c in chosen.items()})
    mounts = Mounts(settings, root, parsed.volumes, request.volumes == "keep")
    work = _Work(parsed, request, settings, facts, values, mounts, shared_certificates, named, chosen)
    made = Imported(named.main, plain_definition(named.main, 0, "http", ""), lost=lost)
    for old, body in parsed.services.items():
        values.learn(named.of[old], pairs_of(body.get("environment")))
    # The main one first: it declares what the others share, and goes last.
    for name in sorted(parsed.services, key=lambda n: named.of[n] != named.main):
        _service(work, name, made)
    values.check()
    made.networks = _networks(work, made)
    made.once = tuple(named.of[old] for old in sorted(named.once) if old in named.of)
    made.volumes = mounts.used
    made.changed += mounts.changed
    made.lost += mounts.lost
    made.risks += [RiskReason(Risk.HIGH, told) for told in mounts.outside]
    told = "gets the Docker socket, so it commands the host."
    made.risks += [RiskReason(Risk.HIGH, f"{service} {told}") for service in dict.fromkeys(mounts.socket)]
    return made


def main_name(parsed: Parsed, request: ImportRequest, settings: LabSettings, facts: Mapping[str, ImageFacts]) -> str:
    """The main service's name in the lab."""
    chosen = _ports(parsed, request, facts, settings, [])
    return name_services(parsed.services, request, {n: c.web for n, c in chosen.items()}).main


def _ports(
    parsed: Parsed, request: ImportRequest, facts: Mapping[str, ImageFacts], settings: LabSettings, lost: list[str]
) -> dict[str, Chosen]:
    found: dict[str, Chosen] = {}
    alone = len(parsed.services) == 1
    for name, body in parsed.services.items():
        if not body.get("image"):
            raise InvalidInput(
                f"{name} has no image: it is built from files that are not here.",
                hint="Name an image that can be pulled, with 'image:'.",
                code="build_only",
            )
        said = {k: v for k, v in pairs_of(body.get("labels")).items() if _LABEL_PORT.fullmatch(k)}
        labelled = next((int(str(v)) for k, v in said.items() if k.lower().endswith("port") and _is_port(v)), 0)
        image = facts.get(str(body["image"]))
        exposed = (str(p).partition("/")[0] for p in body.get("expose") or ())
        hints = [int(p) for p in exposed if _is_port(p)]
        hints += [n for n, kind in image.ports if kind == "tcp"] if image else []
        wanted = (request.port if alone or name == request.main else 0) or labelled
        if _is_database(body) or str(body.get("network_mode", "")) not in {"", "bridge"}:
            hints = []
        found[name] = choose(ports_of(body, lost), wanted, hints, settings)
    return found


def _is_port(text: str | None) -> bool:
    return bool(text) and str(text).isdigit() and 0 < int(str(text)) < 65536


def _is_database(body: Mapping[str, Any]) -> bool:
    return str(body.get("image", "")).rpartition("/")[2].partition(":")[0].partition("@")[0] in DATABASES


def _service(work: _Work, old: str, made: Imported) -> None:
    body, name, values = work.parsed.services[old], work.named.of[old], work.values
    chosen = work.chosen[old]
    facts = work.facts.get(str(body["image"]))
    deploy, own_limits = keys.deploy_block(body, "database" if _is_database(body) else "web")
    block: dict[str, Any] = {
        "image": _image(name, values.text(str(body["image"])), made),
        "container_name": name,
        "restart": _restart(work, old, name, made),
        "environment": values.environment(name, pairs_of(body.get("environment"))),
        "volumes": values.everything(work.mounts.of(name, body, as_root=facts is None or facts.is_root)),
        "deploy": values.everything(deploy),
        "logging": keys.logging_block(body),
        "ports": list(chosen.kept),
    }
    block |= {k: values.everything(body[k]) for k in keys.KEPT if body.get(k) not in (None, "", [], {})}
    block["security_opt"] = keys.security_opt(body)
    mode = work.named.mode(str(body.get("network_mode") or ""))
    if mode:
        block["network_mode"] = mode
        # Whoever lends the network publishes; the host's own needs nothing published.
        block["ports"] = []
    else:
        block["networks"] = _joined(work, old)
    if waits := work.named.depends_on(body.get("depends_on")):
        block["depends_on"] = waits
    block["labels"] = _labels(work, old, mode, made)
    made.services[name] = {k: v for k, v in block.items() if v not in (None, [], {})}
    made.changed += [f"{name}: {told}" for told in chosen.changed]
    made.changed += [] if own_limits else [f"{name}: got limits for CPU, memory and processes; it had none."]
    made.lost += keys.lost_keys(name, body)
    made.risks += keys.risks(name, body)
    if (facts and facts.health) or body.get("healthcheck"):
        return
    made.lost.append(f"{name} has no health check, so only its running and its route can be watched.")


def _image(name: str, reference: str, made: Imported) -> str:
    tagged = ":" in reference.rpartition("/")[2] or "@" in reference
    if tagged and not reference.endswith(":latest"):
        return reference
    made.lost.append(f"{name}: {reference} names no release, so another pull may bring another program; pin a tag.")
    return reference if tagged else f"{reference}:latest"


def _restart(work: _Work, old: str, name: str, made: Imported) -> str:
    own = work.parsed.services[old].get("restart")
    if old in work.named.once:
        return "no" if own in (None, False, "no") else str(own)
    if own != "unless-stopped":
        shown = "nothing" if own is None else "no" if own is False else str(own)
        made.changed.append(f"{name}: restart is unless-stopped, as everywhere in the lab (it was {shown}).")
    return "unless-stopped"


def _joined(work: _Work, old: str) -> list[str] | dict[str, Any]:
    name, settings = work.named.of[old], work.settings
    lab = [settings.route_network] if work.chosen[old].web else []
    lab += [settings.internal_network] if lab or name == work.named.main else []
    lab = list(dict.fromkeys(lab))
    if len(work.parsed.services) == 1:
        return lab
    aliases = work.named.aliases(old, work.parsed.services[old])
    private = {work.named.private: {"aliases": aliases} if aliases else None}
    return {**dict.fromkeys(lab), **private} if aliases else [*lab, work.named.private]


def _labels(work: _Work, old: str, mode: str, made: Imported) -> dict[str, str]:
    body, name = work.parsed.services[old], work.named.of[old]
    own = {k: v or "" for k, v in pairs_of(body.get("labels")).items()}
    web = 0 if mode else work.chosen[old].web
    definition = plain_definition(name, web, _scheme(own, web), "", **_dashboard(own))
    access = None
    if web:
        access = labels.access_of(definition, _subdomain(work, name, own), work.request.sso, work.request.sso_reason)
        assert access is not None  # noqa: S101
        made.routes[name] = access
    elif mode == "host":
        made.lost.append(f"{name} is on the host's own network: route to it as an external service (external add).")
    if name == made.main:
        made.definition = definition
    found = labels.own_labels(definition, access)
    if name != made.main:
        found[labels.COMPANION_OF] = made.main
    if access:
        shared = work.shared_certificates
        found |= labels.route_labels(definition, name, access, work.settings, shared_certificates=shared)
        found |= labels.homepage_labels(definition, access)
    if any(k.lower().startswith("traefik.") for k in own):
        made.changed.append(f"{name}: its Traefik labels were made anew, with the lab's log-in and certificates.")
    return found | {k: work.values.text(v) for k, v in own.items() if not k.lower().startswith(_NOT_OURS)}


def _subdomain(work: _Work, name: str, own: Mapping[str, str]) -> str | None:
    if name == work.named.main and work.request.subdomain:
        return work.request.subdomain
    rules = (v for k, v in own.items() if k.startswith("traefik.") and k.endswith(".rule"))
    host = next((m[1].lower() for m in map(_LABEL_HOST.search, rules) if m), None)
    return host if host and host != "www" else None


def _scheme(own: Mapping[str, str], web: int) -> str:
    said = next((v for k, v in own.items() if _LABEL_PORT.fullmatch(k) and k.lower().endswith("scheme")), "")
    return said if said in {"http", "https"} else "https" if web in HTTPS_PORTS else "http"


def _dashboard(own: Mapping[str, str]) -> dict[str, str]:
    found = {k: own.get(f"homepage.{k}", "") for k in ("group", "icon", "description")}
    return {k: v for k, v in found.items() if v and "$" not in v}


def _networks(work: _Work, made: Imported) -> dict[str, dict[str, Any]]:
    used = {n for block in made.services.values() for n in block.get("networks") or ()}
    lab = (work.settings.route_network, work.settings.internal_network)
    declared: dict[str, dict[str, Any]] = {n: {"external": True} for n in lab if n in used}
    if work.named.private in used:
        declared[work.named.private] = {}
    others = sorted(map(str, work.parsed.networks)) if work.parsed.networks else []
    if [n for n in others if n != "default"]:
        into = work.named.private if work.named.private in used else "the lab's networks"
        made.changed.append(f"Its networks ({', '.join(others)}) became {into}.")
    return declared
