"""What Swarm keeps alive: by its nodes, their tasks now, and what binds a service to one of them.

Facts: Docker's documentation, "How nodes work" and "Administer and maintain a swarm of Docker Engines" (when managers
are lost tasks run on; without a majority of managers nothing is started or moved), "How services work" (tasks of a node
that is down or drained are started on others; a task that is unhealthy is replaced).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homelab_mcp.core.operations.lab_view import Known
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.swarm.places import constraints, nodes_named, takes
from homelab_mcp.model.swarm import Node

UNASKED = "Swarm runs it, and its nodes could not be asked"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one service.

    Args:
        why: it is down for that reason; "" where it is not.
        moved: it starts anew on another node, so there is a gap.
        left: its tasks that run on meanwhile.
        unknown: why nobody here can tell whether it starts anew; "" where that is known.
    """

    why: str = ""
    moved: bool = False
    left: int = 0
    unknown: str = ""


def in_swarm(service: Known) -> bool:
    """Whether Swarm runs it."""
    return service.engine == SWARM


def fate(service: Known, lost: Node, nodes: Sequence[Node]) -> Fate:
    """What becomes of a service that Swarm runs when that node is gone."""
    name = f"{service.stack}_{service.name}"
    there = dict(lost.tasks).get(name, 0)
    left = sum(dict(n.tasks).get(name, 0) for n in nodes if n.id != lost.id)
    if bound_to(service, lost):
        return Fate(f"it is bound to {lost.name}, so no other node starts it")
    if not there and not left:
        return Fate("no task of it runs now")
    if left or not there:
        return Fate(left=left)
    if not _managed_without(lost, nodes):
        return Fate(f"its only tasks are on {lost.name}, and without that manager nothing starts them elsewhere")
    others = _others(lost, nodes)
    if not others:
        return Fate(f"its only tasks are on {lost.name}, and no other node takes any")
    wanted = constraints(service.data)
    answers = {takes(node, wanted) for node in others}
    if True in answers:
        return Fate(moved=True)
    if None not in answers:
        return Fate(f"its only tasks are on {lost.name}, and its placement ({', '.join(wanted)}) fits no other node")
    return Fate(unknown=f"its placement ({', '.join(wanted)}) asks what Swarm's list of nodes does not say")


def bound_to(service: Known, node: Node) -> bool:
    """Whether its placement lets it run on that node alone."""
    named = nodes_named(service.data)
    return named.get("hostname") == node.name or named.get("id") == node.id


def _others(lost: Node, nodes: Sequence[Node]) -> list[Node]:
    return [n for n in nodes if n.id != lost.id and n.availability == "active" and n.state == "ready"]


def _managed_without(lost: Node, nodes: Sequence[Node]) -> bool:
    """Whether a majority of the managers is left, which is what it takes to start or move anything."""
    managers = [n for n in nodes if n.role == "manager"]
    left = [n for n in managers if n.id != lost.id and n.state == "ready"]
    return len(left) > len(managers) // 2
