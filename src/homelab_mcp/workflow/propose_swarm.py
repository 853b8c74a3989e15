"""From a request about the Swarm to a stored plan: hand it a stack or take it back, drain, activate, join."""

from __future__ import annotations

from collections.abc import Mapping

from homelab_mcp.core.stack_host import refuse_silent, require
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of

ACTIONS = ("drain", "activate", "join")


def propose_engine(
    lab: Lab, stack: str, requester: Requester, *, back: bool = False, replicas: Mapping[str, int] | None = None
) -> Plan:
    """A plan that lets Swarm run a stack, or Compose again (``back``). Raises NotFound, InvalidInput, EditRefused."""
    from homelab_mcp.core.operations.to_swarm import SwarmRequest, to_swarm

    _with_docker(lab)
    request = request_of(SwarmRequest, stack=stack, back=back, replicas=dict(replicas or {}))
    here = next((n.name for n in lab.swarm.nodes() if n.here), "")
    snapshot = planner(lab).snapshot(containers=True)
    return plan_of(lab, to_swarm(snapshot, lab.settings, request, node=here), snapshot, requester)


def propose_node(lab: Lab, action: str, name: str, requester: Requester) -> Plan:
    """A plan that drains a node, activates it, or has a host join. Raises NotFound, InvalidInput, EngineUnavailable."""
    from homelab_mcp.core.operations.swarm_nodes import activate_node, drain_node, join_node

    _with_docker(lab)
    if action not in ACTIONS:
        raise InvalidInput(f"{action[:20]!r} is nothing that is done to a node.", hint=f"Use {', '.join(ACTIONS)}.")
    nodes = lab.swarm.nodes()
    snapshot = planner(lab).snapshot(containers=True)
    if action == "drain":
        return plan_of(lab, drain_node(snapshot, nodes, name), snapshot, requester)
    if action == "activate":
        return plan_of(lab, activate_node(snapshot, nodes, name), snapshot, requester)
    if name == LOCAL:
        raise InvalidInput("This machine is a node already.", code="nothing_to_do")
    require(name, lab.hosts.settings.hosts)
    look = lab.hosts.look(name)
    if look.error:
        refuse_silent({name: look.error}, {name})
    return plan_of(lab, join_node(nodes, name, lab.hosts.settings.hosts[name].address), snapshot, requester)


def _with_docker(lab: Lab) -> None:
    if lab.files_only:
        raise InvalidInput("A Swarm needs Docker, which is left out here.", code="plan_needs_docker")
