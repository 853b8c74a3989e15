"""Swarm's services, tasks and nodes, as the Engine API lists them, read into this project's types.

Source of the fields and states: Docker Engine API 1.41, ``/services``, ``/tasks``, ``/nodes``, and "Swarm task states".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.swarm.render import HASH, NAMESPACE
from homelab_mcp.model.observed import ContainerState, PublishedPort, Rollout

Raw = Mapping[str, Any]

_STATES = {
    "running": "running",
    "complete": "exited",
    "failed": "exited",
    "rejected": "exited",
    "shutdown": "exited",
    "orphaned": "dead",
    "remove": "removing",
}
"""Docker's word for a container in that state; before it runs a task is ``created``."""
_FAILED = frozenset({"failed", "rejected"})
_WANTED = frozenset({"running", "ready", "accepted"})
_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Cluster:
    """What Swarm has, asked at one moment. ``here`` is this node's id."""

    services: Sequence[Raw]
    tasks: Sequence[Raw]
    nodes: Sequence[Raw]
    here: str


def states(cluster: Cluster) -> list[ContainerState]:
    """The newest task of each place (a replica's number, or a node), as a container; sorted by name."""
    services = {str(s["ID"]): s for s in cluster.services}
    names = {str(n["ID"]): str((n.get("Description") or {}).get("Hostname", "")) for n in cluster.nodes}
    found = []
    for ident, service in services.items():
        mine = [t for t in cluster.tasks if t.get("ServiceID") == ident]
        found += [state(service, task, mine, names, cluster.here) for task in _shown(service, mine)]
    return sorted(found, key=lambda c: c.name)


def state(service: Raw, task: Raw, others: Iterable[Raw], nodes: Mapping[str, str], here: str) -> ContainerState:
    """One task. ``others`` are all tasks of its service."""
    spec: Raw = service["Spec"]
    labels: dict[str, str] = dict(spec.get("Labels") or {})
    status: Raw = task.get("Status") or {}
    word = str(status.get("State", ""))
    container: Raw = status.get("ContainerStatus") or {}
    node = str(task.get("NodeID", ""))
    inside: Raw = (task.get("Spec") or {}).get("ContainerSpec") or {}
    checked = bool((inside.get("Healthcheck") or {}).get("Test"))
    fell = sum(1 for t in others if _place(t) == _place(task) and _word(t) in _FAILED and _same(t, service))
    return ContainerState(
        id=str(task["ID"]),
        name=f"{spec['Name']}.{_place(task)}",
        image=str(inside.get("Image", "")).partition("@")[0],
        state=_STATES.get(word, "created"),
        # A task with a health check becomes running only once that passes.
        health="healthy" if checked and word == "running" else "",
        stack=labels.get(NAMESPACE, ""),
        service=_service_name(spec),
        config_hash=labels.get(HASH, ""),
        restart_count=fell,
        exit_code=int(container.get("ExitCode") or 0) if _STATES.get(word) == "exited" else None,
        started_at=str(status.get("Timestamp", "")),
        status=str(status.get("Err") or ""),
        labels=labels,
        ports=tuple(_ports(service, task)),
        networks=tuple(sorted(str(a["Network"]["Spec"]["Name"]) for a in task.get("NetworksAttachments") or ())),
        host="" if node in ("", here) else nodes.get(node, node),
    )


def rollouts(cluster: Cluster) -> tuple[Rollout, ...]:
    """How far each service has come."""
    return tuple(_rollout(s, [t for t in cluster.tasks if t.get("ServiceID") == s["ID"]]) for s in cluster.services)


def environment(task: Raw) -> tuple[tuple[str, str], ...]:
    """(name, value) of each variable of a task."""
    pairs = ((task.get("Spec") or {}).get("ContainerSpec") or {}).get("Env") or ()
    return tuple((name, value) for name, _, value in (str(pair).partition("=") for pair in pairs))


def _rollout(service: Raw, tasks: Sequence[Raw]) -> Rollout:
    current = [t for t in tasks if _same(t, service)]
    failed = sorted((t for t in current if _word(t) in _FAILED), key=_age)
    status: Raw = service.get("ServiceStatus") or {}
    running = [t for t in current if _word(t) == "running" and t.get("DesiredState") == "running"]
    ended = [t for t in current if _word(t) == "complete"]
    update: Raw = service.get("UpdateStatus") or {}
    # A failed update's tasks are of the form that was taken back, so they are no longer the current ones.
    last = failed or sorted((t for t in tasks if _word(t) in _FAILED), key=_age)
    spec: Raw = service["Spec"]
    inside: Raw = spec["TaskTemplate"].get("ContainerSpec") or {}
    return Rollout(
        service=_service_name(spec),
        wanted=int(status.get("DesiredTasks") or _replicas(service)),
        running=len(running) + len(ended),
        failed=len(failed),
        update=str(update.get("State") or ""),
        error=str((last[-1].get("Status") or {}).get("Err", "")) if last else "",
        checked=bool((inside.get("Healthcheck") or {}).get("Test")),
        watched=int((spec.get("UpdateConfig") or {}).get("Monitor") or 0) / _NANO,
        form=str((spec.get("Labels") or {}).get(HASH, "")),
    )


def _shown(service: Raw, tasks: Sequence[Raw]) -> list[Raw]:
    places: dict[str, list[Raw]] = {}
    for task in tasks:
        places.setdefault(_place(task), []).append(task)
    count = _replicas(service)
    found = []
    for place, here in places.items():
        newest = max(here, key=lambda t: (t.get("DesiredState") in _WANTED, _age(t)))
        if newest.get("DesiredState") in _WANTED:
            found.append(newest)
        elif place.isdigit() and int(place) <= count and _same(newest, service):
            # It ended and is not to be started again.
            found.append(newest)
    return found


def _same(task: Raw, service: Raw) -> bool:
    """Whether the task is of the service as it is now."""
    mine, now = task.get("Spec") or {}, service["Spec"]["TaskTemplate"]
    forced = int(mine.get("ForceUpdate") or 0), int(now.get("ForceUpdate") or 0)
    return bool(mine.get("ContainerSpec") == now.get("ContainerSpec")) and forced[0] == forced[1]


def _replicas(service: Raw) -> int:
    mode: Raw = service["Spec"].get("Mode") or {}
    if "Replicated" in mode:
        return int((mode["Replicated"] or {}).get("Replicas") or 0)
    return int((mode.get("ReplicatedJob") or {}).get("TotalCompletions") or 0)


def _service_name(spec: Raw) -> str:
    prefix = f"{(spec.get('Labels') or {}).get(NAMESPACE, '')}_"
    return str(spec["Name"]).removeprefix(prefix)


def _place(task: Raw) -> str:
    return str(task.get("Slot") or task.get("NodeID") or "")


def _word(task: Raw) -> str:
    return str((task.get("Status") or {}).get("State", ""))


def _age(task: Raw) -> str:
    return str(task.get("CreatedAt", ""))


def _ports(service: Raw, task: Raw) -> Iterable[PublishedPort]:
    ingress = [p for p in (service.get("Endpoint") or {}).get("Ports") or () if p.get("PublishMode") == "ingress"]
    own = ((task.get("Status") or {}).get("PortStatus") or {}).get("Ports") or ()
    for port in (*ingress, *own):
        if port.get("PublishedPort"):
            yield PublishedPort("", int(port["PublishedPort"]), int(port["TargetPort"]), str(port["Protocol"]))
