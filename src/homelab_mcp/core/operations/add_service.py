"""Add a catalog service to a stack, new or existing."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

from homelab_mcp.core import compose_edit, env_file
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.generator import Generated, generate
from homelab_mcp.core.operations.add_notes import made_from, notes_of, waits_for_login
from homelab_mcp.core.operations.elsewhere import reached
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.request import AddServiceRequest
from homelab_mcp.core.operations.taken import refuse_taken
from homelab_mcp.core.project_name import is_one_off
from homelab_mcp.core.resources import Host, overbooked, too_small
from homelab_mcp.core.stack_host import host_of, with_host
from homelab_mcp.core.traefik import gives_certificates
from homelab_mcp.core.variables import asked_in
from homelab_mcp.model.definition import Container, ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL, LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Risk,
    RiskReason,
    RouteCheck,
    Verification,
)

Find = Callable[[str], ServiceDefinition]
Read = Callable[[str], str | None]

_DANGEROUS = {
    "privileged": "runs privileged",
    "host_network": "uses the host's own network",
    "host_pid": "sees the host's processes",
}


def add_service(
    snapshot: Snapshot,
    settings: LabSettings,
    request: AddServiceRequest,
    *,
    find: Find,
    secrets: Callable[[str, int], str],
    argon2: Callable[[str], str],
    root: str,
    read: Read,
    finish: Callable[[Generated], Generated] = lambda made: made,
    alongside: Collection[str] = (),
    host: Host | None = None,
    address: str = "",
) -> Draft:
    """A draft that adds ``request.service``.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: what to add, where, with which options.
        find: a definition by id or alias; raises NotFound.
        secrets: makes a secret of a kind and length.
        argon2: hashes a value for an Authelia users file.
        root: the lab's absolute path.
        read: the text of a file of the lab, or None.
        finish: last changes to what was generated, for what a definition cannot say.
        alongside: definitions that come with the same plan, so that nobody need wait for them.
        host: what limits must fit, where that is known.
        address: the private address of the other host that it will be on; "" where there is none.

    Raises:
        NotFound: no such definition.
        InvalidInput: options that do not fit, values that are missing (``missing_input``), or something taken:
            ``service_exists``, ``container_name_taken``, ``host_taken``, ``port_taken``.
        EditRefused: the compose file cannot be added to without losing something.
    """
    definition = find(request.service)
    lab = view(snapshot)
    stack_name = request.stack or definition.stack
    stack = snapshot.stack(stack_name)
    compose_path = stack.compose_path if stack else f"{stack_name}/compose.yaml"
    compose_text = stack.compose_text if stack else ""
    place = host_of(compose_text) if stack else request.host or LOCAL
    if request.host not in (None, place):
        raise InvalidInput(
            f"Stack {stack_name} is on host {place}; a stack lives on one host.",
            hint=f"Leave the host out, or name a new stack for {request.host}.",
            code="other_host",
        )
    env_path = f"{stack_name}/.env"
    env_before = stack.env_text if stack and stack.env_text else read(env_path)
    main = request.options.name or definition.id
    gateway = find(definition.gateway) if definition.gateway else None
    with asked_in(stack_name):
        generated = generate(
            definition,
            settings,
            request.options,
            secrets=secrets,
            argon2=argon2,
            existing_env=env_file.parse(env_before or ""),
            root=root,
            gateway=gateway,
            gateway_name=_gateway_name(gateway, main, stack_name, lab, snapshot) if gateway else "",
            shared_certificates=_shares_certificates(lab),
            host=host,
        )
    generated = reached(finish(generated), place, address, lab, snapshot)
    refuse_taken(generated, stack_name, lab, snapshot, settings, place)
    route_works = _route_works(definition, generated, settings, lab, alongside)
    compose_after = compose_edit.add_services(
        compose_text,
        generated.services,
        networks=generated.networks,
        volumes=generated.volumes,
        urls=generated.urls,
    )
    if not stack:
        compose_after = with_host(compose_after, place)
    edits = [FileEdit(compose_path, compose_text if stack else None, compose_after)]
    if generated.env:
        env_after = env_file.set_values(env_before or "", generated.env)
        if env_after != (env_before or ""):
            edits.append(FileEdit(env_path, env_before, env_after, mode=0o600, secret=True))
    kept: list[str] = []
    for file in generated.files:
        path = f"{stack_name}/{file.path}"
        if read(path) is None:
            edits.append(FileEdit(path, None, file.text, mode=file.mode, secret=file.secret))
        else:
            kept.append(path)
    used = tuple(c for c in (definition.container, *definition.companions.values(), *_part(gateway, generated)))
    return Draft(
        operation="add_service",
        summary=f"Add {generated.name} to stack {stack_name}",
        edits=tuple(edits),
        actions=_actions(generated, stack_name),
        verification=_verification(generated, stack_name, route_works),
        risks=tuple(_risks(definition, generated, stack_name, used)),
        notes=(
            *notes_of(definition, generated, settings, lab, route_works, kept, alongside),
            *generated.notes,
            *too_small(definition.minimum_memory, host),
            *overbooked([*(s.data for s in lab.services), *generated.services.values()], host),
            made_from(definition),
        ),
        undo=f"Roll this plan back, or remove {generated.name} from stack {stack_name}; its data folders stay.",
        target=generated.name,
        secrets=generated.secrets,
    )


def _part(gateway: ServiceDefinition | None, generated: Generated) -> tuple[Container, ...]:
    with_vpn = "network_mode" in generated.services[generated.name]
    return (gateway.container,) if gateway and with_vpn else ()


def _gateway_name(gateway: ServiceDefinition, main: str, stack: str, lab: LabView, snapshot: Snapshot) -> str:
    """The gateway's own name where nothing in the lab or on the engine has it, else one that says whose it is."""
    in_files = lab.container(gateway.id) or next((s for s in lab.services if s.name == gateway.id), None)
    # Another name is the person's only way out, and they cannot choose the gateway's.
    elsewhere = any(
        c.name == gateway.id and (c.stack != stack or is_one_off(c.labels)) for c in snapshot.every_container
    )
    return f"{main}-{gateway.id}" if in_files or elsewhere else gateway.id


def _shares_certificates(lab: LabView) -> bool:
    """Whether the lab's Traefik says at its entry point where certificates come from, as those made here do."""
    proxy = lab.made_from("traefik")
    return proxy is not None and gives_certificates(proxy.data.get("command"))


def _route_works(
    definition: ServiceDefinition,
    generated: Generated,
    settings: LabSettings,
    lab: LabView,
    alongside: Collection[str],
) -> bool:
    """Whether the route can be asked after the apply: Traefik is there, and the log-in where it is used."""
    if generated.route is None or waits_for_login(generated, settings, lab, alongside):
        return False
    return "traefik" in (definition.id, *alongside) or lab.made_from("traefik") is not None


def _actions(generated: Generated, stack: str) -> tuple[EngineAction, ...]:
    names = tuple(generated.services)
    networks = [n for n, spec in generated.networks.items() if is_external(spec)]
    return (
        *(
            EngineAction(ActionKind.CREATE_NETWORK, f"{generated.name} joins it; only made where missing.", name=n)
            for n in networks
        ),
        EngineAction(ActionKind.PULL, "Images must be here before anything starts.", stack, names),
        EngineAction(ActionKind.UP, f"Start {generated.name}.", stack, names),
    )


def _verification(generated: Generated, stack: str, route_works: bool) -> Verification:
    route = generated.route
    checks = (RouteCheck(generated.name, route.host, sso=route.protected),) if route and route_works else ()
    return Verification(stack=stack, services=tuple(generated.services), routes=checks)


def _risks(
    definition: ServiceDefinition, generated: Generated, stack: str, containers: tuple[Container, ...]
) -> list[RiskReason]:
    found = [RiskReason(Risk.MEDIUM, f"Adds and starts {', '.join(generated.services)}.")]
    if stack == "core" or definition.category == "core":
        found.append(RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on."))
    for name, block in generated.services.items():
        if ports := block.get("ports"):
            found.append(RiskReason(Risk.HIGH, f"{name} publishes {', '.join(ports)} on the host."))
    access = generated.access
    if access and not access.protected and not access.portal:
        usual = definition.route is not None and definition.route.sso.policy == "bypass"
        found.append(
            RiskReason(
                Risk.MEDIUM if usual else Risk.HIGH,
                # Quoted, as the words may be a model's.
                f"{generated.name} is reached without the lab's log-in: {json.dumps(access.why)}",
            )
        )
    if definition.route and definition.route.own_certificate and access:
        found.append(
            RiskReason(
                Risk.MEDIUM,
                f"Traefik does not check the certificate of {generated.name}, which it made for itself. The way "
                "between them is a network of this machine; every other service is asked as before.",
            )
        )
    for container in containers:
        for privilege in container.privileges:
            if privilege.kind in _DANGEROUS:
                found.append(RiskReason(Risk.HIGH, f"{_DANGEROUS[privilege.kind].capitalize()}: {privilege.why}"))
        for volume in container.volumes:
            if volume.kind == "socket":
                found.append(RiskReason(Risk.HIGH, f"Gets the Docker socket, so it commands the host: {volume.why}"))
    return found
