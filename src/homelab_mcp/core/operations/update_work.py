"""A change of one service on its way, and the part of it that is about its container alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from homelab_mcp.core import gpu
from homelab_mcp.core.gpu import NO_GPUS, Gpus
from homelab_mcp.core.io_limits import SWARM_IGNORES, UNKNOWN, refuse_for_swarm, told
from homelab_mcp.core.operations import container_edit, volume_edit
from homelab_mcp.core.operations.change_request import Limits, UpdateServiceRequest
from homelab_mcp.core.operations.repair import repair
from homelab_mcp.core.resources import Host, Usage, suggested
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.stack_host import SWARM, engine_of
from homelab_mcp.core.variables import asked_in
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import Risk, RiskReason


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known of the host: its size, its graphics processors, and what the service used when looked at.

    ``looked`` is how many seconds ``used`` covers.
    """

    host: Host | None = None
    gpus: Gpus = NO_GPUS
    used: tuple[Usage, ...] = ()
    looked: float = 0.0


@dataclass(slots=True)
class Work:
    """A change on its way."""

    stack: StackFiles
    services: Mapping[str, Any]
    name: str
    env: Mapping[str, str]
    text: str
    aside: container_edit.Aside = field(default_factory=container_edit.Aside)
    risks: list[RiskReason] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    pulls: set[str] = field(default_factory=set)
    undo: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    """Networks that are made first, where they are not there."""

    @contextlib.contextmanager
    def edit(self, service: str) -> Iterator[ServiceEdit]:
        """Edit one service; its text counts when nothing was refused."""
        edit = ServiceEdit(self.text, service)
        yield edit
        if edit.changed:
            self.touched.add(service)
        self.text = edit.text


def change_container(
    work: Work, request: UpdateServiceRequest, definition: ServiceDefinition | None, machine: Machine
) -> None:
    """Change limits, graphics processor, mounts, variables, health check, copies, restart policy; repair, as asked.

    Raises InvalidInput, EditRefused.
    """
    with work.edit(work.name) as edit:
        _resources(work, edit, request, machine)
        if request.gpu == "off":
            gpu.take(edit, machine.gpus)
            work.done.append("no graphics processor")
        elif request.gpu:
            work.aside.notes += gpu.give(edit, request.gpu, machine.gpus, definition)
            work.done.append("a graphics processor")
        _volumes(work, edit, request)
        if request.env_set or request.env_unset:
            container_edit.set_variables(edit, request.env_set, request.env_unset, work.env, work.aside)
            work.done.append(f"variables {', '.join((*request.env_set, *request.env_unset))}")
        if request.health:
            if request.health == "off":
                _refuse_awaited(work)
            container_edit.check_health(edit, request.health, request.health_reason)
            work.done.append("health check" if request.health != "off" else "no health check")
            told = f"Its health is judged by {json.dumps(request.health)}."
            work.risks.append(RiskReason(Risk.MEDIUM, told if request.health != "off" else "Its health is not judged."))
        if request.replicas:
            container_edit.copies(edit, request.replicas)
            work.done.append(f"{request.replicas} copies")
        if request.restart:
            edit.set("restart", request.restart)
            work.done.append(f"restart {request.restart}")
        for spec in request.repairs:
            _repair(work, edit, spec)


def _repair(work: Work, edit: ServiceEdit, spec: str) -> None:
    did = repair(edit, spec)
    work.done.append(did.done)
    work.risks += [did.risk] if did.risk else []
    work.aside.notes += [did.note] if did.note else []
    if did.network:
        work.networks.append(did.network)
        work.touched.add(work.name)


def _resources(work: Work, edit: ServiceEdit, request: UpdateServiceRequest, machine: Machine) -> None:
    if request.resources == "measured":
        _measured(work, edit, machine)
    elif request.resources:
        host = machine.host
        if host and engine_of(work.stack.compose_text) == SWARM:
            host = replace(host, io=SWARM_IGNORES)
        work.aside.notes += container_edit.classify(edit, request.resources, host)
        work.done.append(f"resource class {request.resources}")
    if request.limits != Limits():
        if request.limits.io_weight or request.limits.io_device or request.limits.rates:
            refuse_for_swarm(work.stack.compose_text, work.stack.name)
        container_edit.limit(edit, request.limits, machine.host)
        given = {k: v for k, v in request.limits.model_dump().items() if v is not None}
        work.done.append(", ".join(f"{k} {v}" for k, v in given.items()))
        limits = request.limits
        support = machine.host.io if machine.host else UNKNOWN
        work.aside.notes += told(support, limits.io_weight, limits.io_device, limits.rates)


def _volumes(work: Work, edit: ServiceEdit, request: UpdateServiceRequest) -> None:
    for spec in request.volumes_remove:
        work.aside.notes += volume_edit.take(edit, spec)
        work.done.append(f"no mount of {spec}")
    for spec in request.volumes_add:
        with asked_in(work.stack.name):
            work.aside.notes += volume_edit.add(edit, spec, work.env)
        work.done.append(f"mount {spec}")
        if spec.startswith("/"):
            work.risks.append(RiskReason(Risk.HIGH, f"{work.name} gets a folder of the host: {json.dumps(spec)}"))


def _measured(work: Work, edit: ServiceEdit, machine: Machine) -> None:
    if not machine.used:
        raise InvalidInput(
            f"{work.name} does not run, so nothing was measured.",
            code="not_measured",
            hint="Start it, or name a class.",
        )
    limits = suggested(machine.used, machine.host)
    container_edit.limit(edit, Limits(**limits), machine.host)
    most = max(machine.used, key=lambda s: s.memory)
    busiest = max(s.cpus for s in machine.used)
    work.aside.notes.append(
        f"Looked at for {machine.looked:.0f} s only: at most {most.memory // 2**20} MiB, {busiest:.2f} processors, "
        f"{max(s.pids for s in machine.used)} processes. A busier hour may need more; look again then."
    )
    work.done.append(f"limits as measured: {', '.join(f'{k} {v}' for k, v in limits.items())}")


def _refuse_awaited(work: Work) -> None:
    """Raise InvalidInput (``health_awaited``) where another service starts only when this one is healthy."""
    waiting = [
        name
        for name, body in work.services.items()
        if isinstance(body, Mapping)
        and isinstance(wanted := body.get("depends_on"), Mapping)
        and isinstance(how := wanted.get(work.name), Mapping)
        and how.get("condition") == "service_healthy"
    ]
    if waiting:
        raise InvalidInput(
            f"{', '.join(waiting)} would wait for {work.name} to become healthy for ever.",
            code="health_awaited",
            hint="Give another health check instead, or 'image' for the image's own.",
        )
