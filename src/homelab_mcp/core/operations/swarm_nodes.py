"""Drain a node of the Swarm, let it take tasks again, or have another Docker host join."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.stack_host import SWARM, engine_of
from homelab_mcp.core.swarm.places import nodes_named
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Risk, RiskReason, Verification
from homelab_mcp.model.swarm import Node


def drain_node(snapshot: Snapshot, nodes: Sequence[Node], name: str) -> Draft:
    """A draft that moves every task off a node; what is bound to it stops, which the draft says.

    Raises NotFound (``node_unknown``), InvalidInput (``nothing_to_do``, ``swarm_last_node``).
    """
    node = _node(nodes, name)
    if node.availability != "active":
        raise InvalidInput(f"Node {node.name} is {node.availability} already.", code="nothing_to_do")
    others = [n for n in nodes if n.id != node.id and n.availability == "active" and n.state == "ready"]
    if not others:
        raise InvalidInput(
            f"No other node could take the tasks of {node.name}.",
            hint="Let one join first: homelab-mcp swarm join HOST.",
            code="swarm_last_node",
        )
    bound = [(s, n) for s, n, body in _services(snapshot) if nodes_named(body).get("hostname") == node.name]
    lab = {f"{s}_{n}" for s, n, _ in _services(snapshot)}
    foreign = [service for service, _ in node.tasks if service not in lab]
    notes = [f"Running there: {', '.join(f'{s} ({n})' for s, n in node.tasks) or 'nothing'}."]
    risks = []
    if bound:
        told = ", ".join(f"{s}/{n}" for s, n in bound)
        risks.append(
            RiskReason(Risk.HIGH, f"Stops {told}, which has its data on {node.name}, until it is active again.")
        )
    if foreign:
        notes.append(f"Not of this lab, and moved as well: {', '.join(foreign)}.")
    if node.here:
        notes.append("It is this machine: what Compose runs here, Traefik among it, stays.")
    return Draft(
        operation="drain_node",
        summary=f"Drain node {node.name}",
        edits=(),
        actions=(EngineAction(ActionKind.NODE_DRAIN, "Its tasks move to other nodes.", name=node.name),),
        also_verify=tuple(_checks(snapshot, bound)),
        risks=tuple(risks),
        notes=tuple(notes),
        undo=f"Activate it again: homelab-mcp swarm activate {node.name}. Tasks that moved stay where they are.",
        target=node.name,
    )


def activate_node(snapshot: Snapshot, nodes: Sequence[Node], name: str) -> Draft:
    """A draft that lets a drained node take tasks again. Raises NotFound, InvalidInput (``nothing_to_do``)."""
    node = _node(nodes, name)
    if node.availability == "active":
        raise InvalidInput(f"Node {node.name} is active already.", code="nothing_to_do")
    bound = [(s, n) for s, n, body in _services(snapshot) if nodes_named(body).get("hostname") == node.name]
    notes = ["Swarm moves nothing by itself; what starts from now on may run there."]
    if bound:
        notes.append(f"Starts there again, by their data: {', '.join(f'{s}/{n}' for s, n in bound)}.")
    return Draft(
        operation="activate_node",
        summary=f"Let node {node.name} take tasks again",
        edits=(),
        actions=(EngineAction(ActionKind.NODE_ACTIVATE, "Tasks may come there again.", name=node.name),),
        also_verify=tuple(_checks(snapshot, ())),
        notes=tuple(notes),
        undo=f"Drain it: homelab-mcp swarm drain {node.name}.",
        target=node.name,
    )


def join_node(nodes: Sequence[Node], host: str, address: str) -> Draft:
    """A draft that has a Docker host of ``hosts.yaml`` join as a worker.

    That it is known and answers is for whoever asks to find out; ``address`` is what ``hosts.yaml`` has for it.
    """
    return Draft(
        operation="join_node",
        summary=f"Let host {host} ({address}) join the Swarm",
        edits=(),
        actions=(EngineAction(ActionKind.NODE_JOIN, "It becomes a worker.", name=host),),
        notes=(
            f"The Swarm has {len(nodes)} node(s) now. Between all of them ports 2377/tcp, 7946/tcp+udp and 4789/udp "
            "must be open; keep them from everybody else.",
            "It joins as a worker: where the only manager is lost, tasks run on and nothing manages them.",
            "Containers that Compose runs there stay as they are.",
        ),
        undo=f"On that host: docker swarm leave; here: docker node rm {host}.",
        target=host,
    )


def _node(nodes: Sequence[Node], name: str) -> Node:
    found = [n for n in nodes if name in (n.name, n.id)]
    if len(found) == 1:
        return found[0]
    raise NotFound(
        f"{'Several nodes are' if found else 'No node is'} called {name[:60]!r}.",
        hint=f"There are: {', '.join(n.name for n in nodes)}.",
        code="node_unknown",
    )


def _services(snapshot: Snapshot) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(stack, service, block) of every service that Swarm runs."""
    for stack in snapshot.stacks:
        if engine_of(stack.compose_text) != SWARM:
            continue
        try:
            services = services_of(read(stack.compose_text))
        except HomelabError:
            continue
        yield from ((stack.name, str(n), b) for n, b in services.items() if isinstance(b, Mapping))


def _checks(snapshot: Snapshot, but: Sequence[tuple[str, str]]) -> Iterator[Verification]:
    found: dict[str, list[str]] = {}
    for stack, name, _ in _services(snapshot):
        if (stack, name) not in but:
            found.setdefault(stack, []).append(name)
    yield from (Verification(stack, tuple(names)) for stack, names in found.items())
