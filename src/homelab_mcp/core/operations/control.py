"""Start, stop, restart, recreate, pause and unpause services: no file changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.request import Name, ServiceName
from homelab_mcp.core.shadowed import merged_services
from homelab_mcp.core.stack_host import SWARM, engine_of
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import ContainerState, Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Risk, RiskReason, Verification

Verb = Literal["start", "stop", "restart", "recreate", "pause", "unpause"]
_UP = frozenset({"running", "restarting"})
_UNDO: dict[str, str] = {
    "start": "Stop it again.",
    "stop": "Start it again.",
    "restart": "Nothing is to be taken back.",
    "recreate": "Nothing is to be taken back: its data stays, and the container is made from the same file.",
    "pause": "Unpause it.",
    "unpause": "Pause it again.",
}


class ControlRequest(BaseModel):
    """What is to be done with these services of a stack, all of them where none is named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Verb
    stack: Name
    services: tuple[ServiceName, ...] = ()


@dataclass(frozen=True, slots=True)
class _Job:
    """The request beside what is there: states by service, services whose containers are not as their file says."""

    request: ControlRequest
    services: Mapping[str, Any]
    states: Mapping[str, str]
    stale: Collection[str]

    def named(self) -> list[str]:
        """The services that are meant, in the file's order; sleeping profiles only where they are named."""
        wanted = self.request.services
        return [n for n, s in self.services.items() if (n in wanted if wanted else not (s or {}).get("profiles"))]


def control(snapshot: Snapshot, request: ControlRequest, stale: Collection[str] = ()) -> Draft:
    """A draft that acts on containers alone.

    Args:
        snapshot: the lab as it is, with its containers.
        request: what to do.
        stale: services whose container differs from their file (Compose's config hash).

    Raises:
        NotFound: no such stack or service.
        InvalidInput: nothing to do (``nothing_to_do``), the engine was not asked (``plan_needs_docker``), or it is
            nothing that Swarm does (``swarm_cannot``).
    """
    stack = service_parts.stack_of(snapshot, request.stack)
    if snapshot.containers is None:
        raise InvalidInput("This needs Docker, which was not asked.", code="plan_needs_docker", hint="Look at doctor.")
    if engine_of(stack.compose_text) == SWARM and request.action in ("pause", "unpause"):
        raise InvalidInput(
            f"Swarm runs {stack.name}, and pauses nothing.", hint="Stop it instead.", code="swarm_cannot"
        )
    services = merged_services(stack, parse_or_empty(stack.env_text))
    for name in request.services:
        if name not in services:
            service_parts.services_in(stack, name)
    states = _states(c for c in snapshot.containers if c.stack == request.stack)
    job = _Job(request, services, states, stale)
    actions = _ACTS[request.action](job)
    if not actions:
        raise InvalidInput(_nothing(job), code="nothing_to_do", hint="No plan is needed.")
    acted = tuple(dict.fromkeys(s for a in actions for s in a.services))
    return Draft(
        operation="control_service",
        summary=f"{request.action.capitalize()} {_told(acted)} of stack {request.stack}",
        edits=(),
        actions=tuple(actions),
        verification=_verification(request, acted),
        risks=tuple(_risks(job, acted)),
        notes=tuple(_notes(job, acted)),
        undo=_UNDO[request.action],
        target=acted[0] if len(acted) == 1 else request.stack,
    )


def _states(containers: Iterator[ContainerState]) -> dict[str, str]:
    """The state of each service; the liveliest where it has several containers."""
    found: dict[str, str] = {}
    for one in containers:
        if one.state in _UP or one.service not in found:
            found[one.service] = one.state
    return found


def _act(job: _Job, kind: ActionKind, names: list[str], why: str) -> list[EngineAction]:
    return [EngineAction(kind, why, job.request.stack, tuple(names))] if names else []


def _start(job: _Job) -> list[EngineAction]:
    names = job.named()
    absent = [n for n in names if n not in job.states]
    down = [n for n in names if n in job.states and job.states[n] not in _UP and job.states[n] != "paused"]
    paused = [n for n in names if job.states.get(n) == "paused"]
    return [
        *_act(job, ActionKind.UNPAUSE, paused, "It was paused."),
        *_act(job, ActionKind.START, down, "It was asked for."),
        *_act(job, ActionKind.UP, absent, "It has no container yet."),
    ]


def _stop(job: _Job) -> list[EngineAction]:
    up = [n for n in job.named() if job.states.get(n) in _UP | {"paused"}]
    return _act(job, ActionKind.STOP, list(reversed(up)), "It was asked for.")


def _restart(job: _Job) -> list[EngineAction]:
    there = [n for n in job.named() if job.states.get(n) in _UP | {"exited"}]
    return _act(job, ActionKind.RESTART, there, "It was asked for.")


def _recreate(job: _Job) -> list[EngineAction]:
    named = job.named()
    bound = [b for n in named for b in service_parts.bound_to(job.services, n) if b in job.states]
    order = [n for n in job.services if n in {*named, *bound}]
    fresh = [n for n in order if n not in job.states]
    made = [n for n in order if n in job.states]
    return [
        *_act(job, ActionKind.RECREATE, made, "A new container is made from the file."),
        *_act(job, ActionKind.UP, fresh, "It has no container yet."),
    ]


def _pause(job: _Job) -> list[EngineAction]:
    return _act(job, ActionKind.PAUSE, [n for n in job.named() if job.states.get(n) == "running"], "It was asked for.")


def _unpause(job: _Job) -> list[EngineAction]:
    names = [n for n in job.named() if job.states.get(n) == "paused"]
    return _act(job, ActionKind.UNPAUSE, names, "It was asked for.")


_ACTS: dict[str, Callable[[_Job], list[EngineAction]]] = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "recreate": _recreate,
    "pause": _pause,
    "unpause": _unpause,
}


def _nothing(job: _Job) -> str:
    states = ", ".join(f"{n}: {job.states.get(n, 'no container')}" for n in job.named()[:6])
    return f"There is nothing to {job.request.action} ({states or 'no services'})."


def _verification(request: ControlRequest, acted: tuple[str, ...]) -> Verification:
    if request.action in ("stop", "pause"):
        word = "stopped" if request.action == "stop" else "paused"
        return Verification(request.stack, held=tuple((s, word) for s in acted))
    return Verification(request.stack, acted)


def _risks(job: _Job, acted: tuple[str, ...]) -> Iterator[RiskReason]:
    if job.request.action not in ("stop", "pause"):
        return
    hit = sorted(_needing(job, acted))
    if hit:
        yield RiskReason(Risk.LOW, f"{', '.join(hit)} needs {_told(acted)} and will not work meanwhile.")
    for name in acted:
        image = str((job.services[name] or {}).get("image", ""))
        if any(word in image for word in ("traefik", "authelia", "authentik")):
            told = f"{name} serves every route of the lab: while it is down nothing is reached by its address."
            yield RiskReason(Risk.MEDIUM, told)


def _needing(job: _Job, acted: tuple[str, ...]) -> set[str]:
    return {
        n
        for n, s in job.services.items()
        if n not in acted and n in job.states and set(service_parts.needs(s)) & set(acted)
    }


def _notes(job: _Job, acted: tuple[str, ...]) -> Iterator[str]:
    old = [n for n in acted if n in job.stale]
    if old and job.request.action in ("start", "restart", "unpause"):
        yield (
            f"The file of {_told(tuple(old))} was changed since its container was made, and {job.request.action} does "
            "not load that: use recreate to load it."
        )
    if job.request.action == "restart":
        yield "A restart reads configuration files anew, but no changed variable, image, port or label: recreate does."
    if job.request.action == "stop":
        yield "It stays stopped, also when the machine starts again, until it is started."


def _told(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
