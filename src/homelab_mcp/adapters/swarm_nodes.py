"""The nodes of the Swarm that this machine manages, over the Engine API (``/nodes``, ``/swarm``)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.swarm_engine import SwarmEngine
from homelab_mcp.model.errors import EngineFailed, NotFound
from homelab_mcp.model.swarm import Node

if TYPE_CHECKING:
    from homelab_mcp.adapters.hosts import HostSet
    from homelab_mcp.adapters.swarm_cli import SwarmCli

_JOIN_SECONDS = 60.0
_DRAIN_SECONDS = 120.0
_POLL = 0.5


class SwarmNodes:
    """Fulfils ``ports.Swarm``.

    Args:
        engine: this machine's.
        hosts: asked for the hosts that join.
        stacks: asked for stack files.
    """

    def __init__(self, engine: SwarmEngine, hosts: Callable[[], HostSet], stacks: Callable[[], SwarmCli]) -> None:
        self._engine = engine
        self._hosts = hosts
        self._stacks = stacks

    def nodes(self) -> tuple[Node, ...]:
        """As the port's."""
        cluster = self._engine.cluster(None, everything=True)
        names = {str(s["ID"]): str(s["Spec"]["Name"]) for s in cluster.services}
        running: dict[str, Counter[str]] = {}
        for task in cluster.tasks:
            if (task.get("Status") or {}).get("State") == "running" and task.get("ServiceID") in names:
                running.setdefault(str(task.get("NodeID", "")), Counter())[names[task["ServiceID"]]] += 1
        found = [_node(n, cluster.here, running.get(str(n["ID"]), Counter())) for n in cluster.nodes]
        return tuple(sorted(found, key=lambda n: (not n.here, n.name)))

    def set_availability(self, node: str, availability: str) -> None:
        """As the port's; a drain returns once no task runs there any more."""
        raw = self._named(node)
        spec = {**raw["Spec"], "Availability": availability}
        self._engine.asked(lambda c: c.update_node(raw["ID"], raw["Version"]["Index"], cast("Any", spec)))
        if availability != "drain":
            return
        # Tasks that still run there would pass for ones that have moved.
        until = time.monotonic() + _DRAIN_SECONDS
        while any(n.id == raw["ID"] and n.tasks for n in self.nodes()):
            if time.monotonic() >= until:
                raise EngineFailed(
                    f"Tasks still run on {node} after {_DRAIN_SECONDS:.0f} s.",
                    hint="`homelab-mcp swarm nodes` says which; a long stop_grace_period takes its time.",
                    code="swarm_not_drained",
                )
            time.sleep(_POLL)

    def join(self, host: str) -> None:
        """As the port's; returns once the manager sees the node ready."""
        swarm = self._engine.json("/swarm")
        info = self._engine.json("/info")["Swarm"]
        managers = [str(m["Addr"]) for m in info.get("RemoteManagers") or ()]
        token = str(swarm["JoinTokens"]["Worker"])
        other = self._at(host)
        other.asked(lambda c: c.join_swarm(remote_addrs=managers, join_token=token), _JOIN_SECONDS)
        mine = _info(other)
        until = time.monotonic() + _JOIN_SECONDS
        while not any(n.id == mine["NodeID"] and n.state == "ready" for n in self.nodes()):
            if time.monotonic() >= until:
                raise EngineFailed(
                    f"Host {host} joined, and the manager does not see it ready.",
                    hint="Ports 2377/tcp, 7946/tcp+udp and 4789/udp must be open between the machines.",
                    code="swarm_not_ready",
                )
            time.sleep(_POLL)

    def leave(self, host: str) -> None:
        """As the port's."""
        other = self._at(host)
        ident = str(_info(other).get("NodeID", ""))
        if not ident:
            return
        other.asked(lambda c: c.leave_swarm(force=True), _JOIN_SECONDS)
        until = time.monotonic() + _JOIN_SECONDS
        while any(n.id == ident and n.state == "ready" for n in self.nodes()) and time.monotonic() < until:
            time.sleep(_POLL)
        self._engine.asked(lambda c: c.remove_node(ident, force=True))

    def stack_file(self, stack: str) -> str:
        """As the port's."""
        return self._stacks().shown(stack)

    def _at(self, host: str) -> DockerEngine:
        self._hosts().knock(host)
        return self._hosts().engine(host)

    def _named(self, name: str) -> dict[str, Any]:
        nodes = self._engine.json("/nodes")
        found = [n for n in nodes if name in (n["ID"], (n.get("Description") or {}).get("Hostname"))]
        if len(found) == 1:
            return dict(found[0])
        there = ", ".join(str((n.get("Description") or {}).get("Hostname", n["ID"])) for n in nodes)
        raise NotFound(
            f"{'Several nodes are' if found else 'No node is'} called {name[:60]!r}.",
            hint=f"There are: {there}.",
            code="node_unknown",
        )


def _info(engine: DockerEngine) -> dict[str, Any]:
    return dict(engine.asked(lambda c: c.info()).get("Swarm") or {})


def _node(raw: Mapping[str, Any], here: str, tasks: Mapping[str, int]) -> Node:
    description = raw.get("Description") or {}
    status = raw.get("Status") or {}
    return Node(
        id=str(raw["ID"]),
        name=str(description.get("Hostname", "")),
        role=str(raw["Spec"].get("Role", "")),
        availability=str(raw["Spec"].get("Availability", "")),
        state=str(status.get("State", "")),
        address=str(status.get("Addr", "")),
        version=str((description.get("Engine") or {}).get("EngineVersion", "")),
        here=str(raw["ID"]) == here,
        leader=bool((raw.get("ManagerStatus") or {}).get("Leader")),
        tasks=tuple(sorted(tasks.items())),
    )
