"""From a definition, the lab's settings and a person's options to everything a stack gains.

The same input gives the same output, but for the secrets that are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core import labels, traefik
from homelab_mcp.core.container_block import container_block, depends_on
from homelab_mcp.core.io_limits import weigh_services
from homelab_mcp.core.operations.request import ServiceOptions
from homelab_mcp.core.references import Words, literal, variables_in
from homelab_mcp.core.resources import Host, fit_services
from homelab_mcp.core.variables import Filled, fill
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.definition import Companion, ServiceDefinition, Variable
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings

_MEDIA = frozenset({"media", "media-management", "downloads"})
"""Categories whose services hand each other files and calls, on the lab's media network."""

_NO_WAY_OUT = frozenset({"database", "cache", "proxy"})


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file the service needs before its first start; ``path`` is relative to the stack's folder."""

    path: str
    text: str
    mode: int
    secret: bool


@dataclass(frozen=True, slots=True)
class GeneratedRoute:
    """How the service will be reached: its host name in full, and whether log-in is asked."""

    host: str
    protected: bool


@dataclass(frozen=True, slots=True)
class Generated:
    """All a stack gains with a service.

    ``name`` is the main service's. ``services`` has the one that carries the route first (the VPN gateway where there
    is one, else the main one), then the others. ``env`` holds only what ``.env`` lacks;
    ``secrets`` are the values in ``env`` and ``files`` that no one may be shown.
    """

    name: str
    services: dict[str, dict[str, Any]]
    networks: dict[str, dict[str, Any]]
    env: dict[str, str]
    secrets: tuple[str, ...]
    urls: tuple[str, ...]
    files: tuple[GeneratedFile, ...]
    route: GeneratedRoute | None
    access: labels.Access | None
    notes: tuple[str, ...]
    volumes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Job:
    definition: ServiceDefinition
    settings: LabSettings
    options: ServiceOptions
    name: str
    access: labels.Access | None
    gateway: ServiceDefinition | None
    gateway_name: str
    companions: dict[str, Companion]
    shared_certificates: bool


def generate(
    definition: ServiceDefinition,
    settings: LabSettings,
    options: ServiceOptions,
    *,
    secrets: Callable[[str, int], str],
    argon2: Callable[[str], str],
    existing_env: Mapping[str, str],
    root: str,
    gateway: ServiceDefinition | None = None,
    gateway_name: str = "",
    shared_certificates: bool = False,
    host: Host | None = None,
) -> Generated:
    """Generate a service.

    Args:
        definition: the catalog entry.
        settings: the lab's.
        options: the person's.
        secrets: makes a secret of a kind and length.
        argon2: hashes a value for an Authelia users file.
        existing_env: the stack's ``.env``; its values are kept.
        root: the lab's absolute path.
        gateway: the VPN gateway's definition, where the definition names one and it is to be used.
        gateway_name: the gateway's service name; its definition's id when "".
        shared_certificates: whether the lab's Traefik gives every route a certificate at its entry point.
        host: what limits must fit; None: they are as the resource classes say.

    Raises:
        InvalidInput: options that do not fit, or values that are missing (code ``missing_input``).
    """
    name = options.name or definition.id
    if definition.id == traefik.TRAEFIK and settings.traefik.docker_access == "socket":
        definition = traefik.without_proxy(definition)
    access = labels.access_of(definition, options.subdomain, options.sso, options.sso_reason, options.sso_groups)
    companions = {f"{name}-{key}": companion for key, companion in definition.companions.items()}
    job = _Job(
        definition,
        settings,
        options,
        name,
        access,
        gateway if _wants_vpn(definition, options) else None,
        gateway_name or (gateway.id if gateway else ""),
        companions,
        shared_certificates or definition.id == traefik.TRAEFIK,
    )
    filled_later: dict[str, str] = {}
    words = Words(
        service=name,
        subdomain=access.subdomain if access else name,
        root=root,
        companions={key: f"{name}-{key}" for key in definition.companions},
        settings=settings,
        hash_of=lambda variable: argon2(filled_later[variable]),
    )
    services = _services(job, words)
    scaled = fit_services(services, host)
    if host is not None and host.io.weighs:
        parts = {name: definition.container, **{f"{name}-{k}": c for k, c in definition.companions.items()}}
        weigh_services(services, {n: c.resources for n, c in parts.items()})
    filled = _variables(job, services, existing_env, secrets)
    filled_later.update(filled.values)
    files = [_file(f.path, f.content, words, f.mode, f.secret, name) for f in definition.files]
    notes = (*filled.notes, *definition.notes, *(job.gateway.notes if job.gateway else ()))
    if definition.id == traefik.TRAEFIK:
        dynamic = f"{name}/{traefik.DYNAMIC_FILE}"
        files.append(GeneratedFile(dynamic, traefik.dynamic_text(settings), 0o644, secret=False))
        notes = (*notes, *traefik.traefik_parts(settings).notes)
    return Generated(
        name=name,
        services=services,
        networks=_networks(job),
        env=filled.added,
        secrets=tuple(dict.fromkeys(filled.secrets)),
        urls=(f"https://{labels.host_of(access.subdomain)}",) if access else (),
        files=tuple(files),
        route=GeneratedRoute(f"{access.subdomain}.{settings.domain}", access.protected) if access else None,
        access=access,
        notes=(*scaled, *notes),
    )


def _wants_vpn(definition: ServiceDefinition, options: ServiceOptions) -> bool:
    use = definition.vpn.use
    if options.vpn and (use == "no" or not definition.gateway):
        raise InvalidInput(
            f"{definition.name} is not run through the VPN: {definition.vpn.why}", code="vpn_not_possible"
        )
    return bool(definition.gateway) and (use == "recommended" if options.vpn is None else options.vpn)


def _services(job: _Job, words: Words) -> dict[str, dict[str, Any]]:
    main = container_block(job.definition.container, job.name, words, job.settings, job.options.tag)
    if job.definition.id == traefik.TRAEFIK:
        _join_traefik(main, job.settings, job.name)
    main["labels"] = labels.own_labels(job.definition, job.access) | labels.owner_labels(job.definition.container)
    filled = {k: words.fill(v) for k, v in job.definition.container.labels.items()}
    own = labels.with_login_name(job.definition, filled, job.settings)
    routing = _routing(job)
    if own and any(k.startswith("traefik.") for k in own):
        routing.setdefault("traefik.enable", "true")
    main["labels"] |= ({} if job.gateway else routing) | labels.homepage_labels(job.definition, job.access) | own
    waits = depends_on(job.companions)
    services: dict[str, dict[str, Any]] = {job.name: main}
    for name, companion in job.companions.items():
        services[name] = _companion(job, name, companion, words)
    if job.gateway:
        services = {job.gateway_name: _gateway(job, main, routing, words), **services}
        main["network_mode"] = f"service:{job.gateway_name}"
        waits[job.gateway_name] = {"condition": "service_healthy", "restart": True}
    elif "network_mode" not in main:
        main["networks"] = _main_networks(job)
    if waits:
        main["depends_on"] = waits
    return services


def _routing(job: _Job) -> dict[str, str]:
    if job.access is None:
        return {}
    shared = job.shared_certificates
    return labels.route_labels(job.definition, job.name, job.access, job.settings, shared_certificates=shared)


def _join_traefik(main: dict[str, Any], settings: LabSettings, name: str) -> None:
    parts = traefik.traefik_parts(settings, name)
    main["command"] = [*traefik.for_settings(main.get("command", []), settings), *(literal(f) for f in parts.command)]
    main["ports"] = [*parts.ports, *main.get("ports", [])]
    main["environment"] = {**main.get("environment", {}), **parts.environment}
    main["volumes"] = [*main.get("volumes", []), *(literal(v) for v in parts.volumes)]
    if parts.health:
        main["healthcheck"]["test"] = list(parts.health)


def _companion(job: _Job, name: str, companion: Companion, words: Words) -> dict[str, Any]:
    block = container_block(companion, name, words, job.settings)
    block["networks"] = [_private(job.name)]
    block["labels"] = {
        labels.CATEGORY: job.definition.category,
        labels.SERVICE: job.definition.id,
        labels.COMPANION_OF: job.name,
        **labels.owner_labels(companion),
        **{k: words.fill(v) for k, v in companion.labels.items()},
    }
    return block


def _gateway(job: _Job, main: dict[str, Any], routing: dict[str, str], words: Words) -> dict[str, Any]:
    """The gateway carries what belongs to the network that the main service borrows: ports, networks, route."""
    gateway = job.gateway
    assert gateway is not None  # noqa: S101
    block = container_block(gateway.container, job.gateway_name, words, job.settings)
    ports = [*block.get("ports", []), *main.pop("ports", [])]
    if ports:
        block["ports"] = ports
    block["networks"] = _main_networks(job)
    block["labels"] = {
        labels.CATEGORY: gateway.category,
        labels.SERVICE: gateway.id,
        labels.COMPANION_OF: job.name,
        **labels.owner_labels(gateway.container),
        **routing,
    }
    return block


def _main_networks(job: _Job) -> list[str]:
    names = [job.settings.route_network] if job.definition.route or job.definition.id == traefik.TRAEFIK else []
    names.append(job.settings.internal_network)
    if job.definition.category in _MEDIA:
        names.append(job.settings.media_network)
    if job.companions:
        names.append(_private(job.name))
    # A lab may have one network for all of these.
    return list(dict.fromkeys(names))


def _networks(job: _Job) -> dict[str, dict[str, Any]]:
    declared: dict[str, dict[str, Any]] = {}
    if not any(p.kind == "host_network" for p in job.definition.container.privileges):
        for name in _main_networks(job):
            declared[name] = {"external": True}
    if job.companions:
        # Databases and caches need no way out; a worker may fetch things.
        closed = all(c.role in _NO_WAY_OUT for c in job.companions.values())
        declared[_private(job.name)] = {"internal": True} if closed else {}
    return declared


def _private(name: str) -> str:
    return f"{name}-private"


def _variables(
    job: _Job,
    services: Mapping[str, Any],
    existing: Mapping[str, str],
    secrets: Callable[[str, int], str],
) -> Filled:
    declared: dict[str, Variable] = {v.name: v for v in job.definition.variables}
    if job.gateway:
        declared |= {v.name: v for v in job.gateway.variables}
    if job.definition.id == traefik.TRAEFIK:
        declared |= {v.name: v for v in traefik.traefik_parts(job.settings).variables}
    used = list(variables_in(services))
    return fill(used, list(declared.values()), job.options.variables, existing, job.settings, secrets)


def _file(path: str, content: Any, words: Words, mode: int, secret: bool, service: str) -> GeneratedFile:
    filled = words.fill_all(content, in_file=True)
    if isinstance(filled, str):
        text = filled if filled.endswith("\n") else f"{filled}\n"
    else:
        lines = [line for key, value in filled.items() for line in entry(key, value, 0, Style())]
        text = "\n".join(lines) + "\n"
    return GeneratedFile(f"{service}/{path}", text, 0o600 if secret else mode, secret)
