"""Hand a stack from Compose to Swarm, or back: its file, its data, its networks, and Traefik's way to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.core import env_file
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.lab_view import Known, known_name, view
from homelab_mcp.core.operations.request import Name, ServiceName
from homelab_mcp.core.project_name import folder_project, written_name
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.stack_host import COMPOSE, SWARM, engine_of, host_of
from homelab_mcp.core.swarm.network import OVERLAY, beside
from homelab_mcp.core.swarm.places import local_data, nodes_named
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.lab import LOCAL, SECTION, LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
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

_CONSTRAINTS = ("deploy", "placement", "constraints")


class SwarmRequest(BaseModel):
    """Which stack, and what runs it then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: Name
    back: bool = Field(default=False, description="From Swarm to Compose.")
    replicas: dict[ServiceName, Annotated[int, Field(ge=1, le=100)]] = Field(
        default={}, description="Tasks of a service; one where unset."
    )


@dataclass(slots=True)
class _Work:
    stack: StackFiles
    services: Mapping[str, Any]
    node: str
    settings: LabSettings
    text: str
    notes: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    """Overlay networks that are needed."""


def to_swarm(snapshot: Snapshot, settings: LabSettings, request: SwarmRequest, *, node: str) -> Draft:
    """A draft that lets Swarm run a stack that Compose ran, or the other way round.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: what is asked.
        node: this machine's name in the Swarm: data that a service has on this machine's disk keeps it here.

    Raises:
        NotFound: no such stack.
        InvalidInput: it is so already (``nothing_to_do``), is on another host (``swarm_host``), has several files
            (``more_files``) or another project's name (``swarm_name``), holds Traefik (``swarm_core``), would share
            data between replicas (``swarm_shared_data``), or has data on another node (``swarm_data_elsewhere``).
        EditRefused: its lines cannot be changed alone.
    """
    stack = service_parts.stack_of(snapshot, request.stack)
    services = services_of(read(stack.compose_text))
    _refuse(stack, services, request)
    work = _Work(stack, services, node, settings, stack.compose_text)
    if request.back:
        _back(work)
    else:
        _there(work, request)
    return _draft(work, snapshot, request)


def _refuse(stack: StackFiles, services: Mapping[str, Any], request: SwarmRequest) -> None:
    wanted = COMPOSE if request.back else SWARM
    if engine_of(stack.compose_text) == wanted:
        raise InvalidInput(f"{stack.name} is run by {wanted.capitalize()} already.", code="nothing_to_do")
    if host_of(stack.compose_text) != LOCAL:
        raise InvalidInput(
            f"Stack {stack.name} is on host {host_of(stack.compose_text)}; the Swarm's manager is this machine.",
            hint="Only stacks of this machine can be handed to Swarm.",
            code="swarm_host",
        )
    if (name := written_name(stack.compose_text)) not in (None, folder_project(stack.name)):
        raise InvalidInput(
            f"Stack {stack.name} calls its project {name}, and a stack in Swarm has its folder's name here.",
            hint="Take the line `name:` out first; volumes are then named after the folder.",
            code="swarm_name",
        )
    if stack.others:
        raise InvalidInput(
            f"Stack {stack.name} has {stack.others[0][0]} beside its compose file.",
            hint="Bring both into one file first.",
            code="more_files",
        )
    if any(
        "traefik" in str(s.get("image", "")).rpartition("/")[2] for s in services.values() if isinstance(s, Mapping)
    ):
        raise InvalidInput(
            f"Stack {stack.name} holds Traefik, which everything comes in by.",
            hint="It stays with Compose: it needs this machine's ports, Docker socket and certificates.",
            code="swarm_core",
        )
    for name in request.replicas:
        service_parts.services_in(stack, name)


def _there(work: _Work, request: SwarmRequest) -> None:
    work.text = ServiceEdit(work.text, next(iter(work.services))).set_at((SECTION, "engine"), SWARM).text
    volumes = read(work.text).get("volumes") or {}
    for name, service in work.services.items():
        data = list(local_data(service or {}, volumes))
        count = request.replicas.get(name, 1)
        if count > 1 and (shared := [m.source for m in data if not m.read_only]):
            raise InvalidInput(
                f"{count} replicas of {name} would write to the same {', '.join(shared)}.",
                hint="Most programs damage their data that way: one replica, or data that is made to be shared.",
                code="swarm_shared_data",
            )
        edit = ServiceEdit(work.text, name)
        if "container_name" in (service or {}):
            edit.remove("container_name")
            work.notes.append(f"{name} is no longer called {service['container_name']}: Swarm names its containers.")
        if name in request.replicas:
            edit.set("deploy.replicas", count)
        if data:
            edit.add_item(_CONSTRAINTS, f"node.hostname == {work.node}")
            work.notes.append(
                f"{name} has data on this machine ({', '.join(m.source for m in data)}), so it stays on node "
                f"{work.node}: it does not move when this node is drained or lost."
            )
        work.text = edit.text
    _rejoin(work, {n: beside(n) for n in _external(work)})


def _left(work: _Work, snapshot: Snapshot) -> Iterator[str]:
    """Who is on a network that the stack leaves for the Swarm's: the two meet there no more."""
    env = env_file.parse(work.stack.env_text)
    declared = read(work.stack.compose_text).get("networks") or {}
    mine = {known_name(spec, str(key), env) for key, spec in declared.items()} - {"", work.settings.route_network}
    for stack in (s for s in snapshot.stacks if s.name != work.stack.name):
        try:
            theirs = read(stack.compose_text).get("networks") or {}
        except HomelabError:
            continue
        env = env_file.parse_or_empty(stack.env_text)
        shared = sorted(mine & {known_name(spec, str(key), env) for key, spec in theirs.items()})
        if shared:
            yield f"It leaves {', '.join(shared)}, where stack {stack.name} is: they reach each other there no more."


def _back(work: _Work) -> None:
    elsewhere = [n for n, s in work.services.items() if _away(s or {}, work)]
    if elsewhere:
        raise InvalidInput(
            f"{', '.join(elsewhere)} may have data on other nodes than {work.node}; Compose would not find it.",
            hint=f"Bring the data to this machine and pin the service first (node.hostname == {work.node}).",
            code="swarm_data_elsewhere",
        )
    edit = ServiceEdit(work.text, next(iter(work.services)))
    alone = len(edit.document[SECTION]) == 1
    work.text = edit.remove_at((SECTION,) if alone else (SECTION, "engine")).text
    for name in work.services:
        edit = ServiceEdit(work.text, name)
        edit.remove_items(_CONSTRAINTS, lambda item: _means(item, work.node))
        if (count := edit.get("deploy.replicas")) not in (None, 1):
            work.notes.append(f"{name} is one container again, in place of {count} tasks.")
        work.text = edit.remove("deploy.replicas").text
    names = {n: n.removesuffix("-swarm") for n in _external(work) if n.endswith("-swarm")}
    _rejoin(work, names)
    work.networks = []


def _external(work: _Work) -> list[str]:
    """Keys of the networks that other stacks know too."""
    env = env_file.parse(work.stack.env_text)
    declared = read(work.text).get("networks") or {}
    return [str(key) for key, spec in declared.items() if known_name(spec, str(key), env)]


def _rejoin(work: _Work, names: Mapping[str, str]) -> None:
    """Have the stack use another network for each of these keys; what is declared goes with its users."""
    declared = read(work.text).get("networks") or {}
    for old, new in names.items():
        spec = dict(declared[old] or {})
        real = str(spec.get("name") or old)
        target = beside(real) if new == beside(old) else real.removesuffix("-swarm")
        users = [n for n, s in services_of(read(work.text)).items() if old in _names(s.get("networks"))]
        edit = ServiceEdit(work.text, next(iter(work.services)))
        edit.set_at(("networks", new), {"external": True} if target == new else {"external": True, "name": target})
        work.text = edit.text
        for name in users:
            step = ServiceEdit(work.text, name)
            form = step.get("networks")
            detail = form.get(old) if isinstance(form, Mapping) else None
            work.text = step.add_name("networks", new, detail).remove_name("networks", old).text
        work.text = ServiceEdit(work.text, next(iter(work.services))).remove_at(("networks", old)).text
        work.networks.append(target)


def _draft(work: _Work, snapshot: Snapshot, request: SwarmRequest) -> Draft:
    stack, names = work.stack, tuple(work.services)
    edits = [FileEdit(stack.compose_path, stack.compose_text, work.text)]
    actions = [
        EngineAction(ActionKind.CREATE_NETWORK, f"Services of {stack.name} join it on every node.", name=OVERLAY + n)
        for n in work.networks
    ]
    verify = [Verification(stack.name, names, routes=tuple(_routes(work, snapshot)))]
    was = "Swarm" if request.back else "Compose"
    actions.append(EngineAction(ActionKind.REMOVE, f"{was} is to run it no longer.", stack.name, names))
    actions.append(EngineAction(ActionKind.UP, f"{'Compose' if request.back else 'Swarm'} runs it.", stack.name))
    if verify[0].routes and work.networks and (joined := _traefik_joins(work, snapshot)):
        edit, action, core = joined
        edits.append(edit)
        actions.append(action)
        verify.append(core)
        work.notes.append(f"Traefik joins {beside(work.settings.route_network)} to reach {stack.name} on every node.")
    risks = [RiskReason(Risk.MEDIUM, f"Stops {', '.join(names)} and starts them anew; they are away meanwhile.")]
    if len(edits) > 1:
        risks.append(RiskReason(Risk.HIGH, "Makes Traefik anew, so every route is away for a moment."))
    if not request.back:
        work.notes += _left(work, snapshot)
        work.notes.append("Other nodes pull the images themselves, and have no files of this machine.")
    return Draft(
        operation="from_swarm" if request.back else "to_swarm",
        summary=f"Let {'Compose' if request.back else 'Swarm'} run stack {stack.name}",
        edits=tuple(edits),
        actions=tuple(actions),
        verification=verify[0],
        also_verify=tuple(verify[1:]),
        risks=tuple(risks),
        notes=tuple(work.notes),
        undo=f"Roll this plan back: {was} runs {stack.name} again, with the same data.",
        target=stack.name,
    )


def _routes(work: _Work, snapshot: Snapshot) -> Iterator[RouteCheck]:
    lab = view(snapshot)
    if lab.made_from("traefik") is None:
        return
    behind = {(k.stack, k.name) for k in lab.behind(work.settings.sso_middleware)}
    for known in (k for k in lab.services if k.stack == work.stack.name):
        for host in sorted(h for h in known.hosts() if "$" not in h):
            yield RouteCheck(known.name, host, sso=(known.stack, known.name) in behind)


def _traefik_joins(work: _Work, snapshot: Snapshot) -> tuple[FileEdit, EngineAction, Verification] | None:
    """This machine's Traefik in the overlay network of routes; None where it is there already or is not the lab's."""
    network = beside(work.settings.route_network)
    traefik: Known | None = view(snapshot).on(LOCAL).made_from("traefik")
    stack = snapshot.stack(traefik.stack) if traefik else None
    if (
        traefik is None
        or stack is None
        or network not in work.networks
        or network in _names(traefik.data.get("networks"))
    ):
        return None
    edit = ServiceEdit(stack.compose_text, traefik.name)
    edit.declare("networks", network, {"external": True}).add_name("networks", network)
    return (
        FileEdit(stack.compose_path, stack.compose_text, edit.text),
        EngineAction(ActionKind.UP, f"Joins {network}.", stack.name, (traefik.name,)),
        Verification(stack.name, (traefik.name,)),
    )


def _away(service: Mapping[str, Any], work: _Work) -> bool:
    """Whether it may have data on another node than this."""
    data = list(local_data(service, read(work.text).get("volumes") or {}))
    return bool(data) and nodes_named(service).get("hostname") != work.node


def _means(item: object, node: str) -> bool:
    key, _, value = str(item).partition("==")
    return key.strip() == "node.hostname" and value.strip() == node


def _names(found: object) -> Collection[str]:
    return [str(n) for n in found] if isinstance(found, (list, Mapping)) else ()
