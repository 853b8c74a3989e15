"""Engine actions on the nodes of a Swarm, and their way back."""

from __future__ import annotations

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import ActionKind, EngineAction, Evidence, Plan
from homelab_mcp.ports import Swarm

NODES = (ActionKind.NODE_JOIN, ActionKind.NODE_ACTIVATE, ActionKind.NODE_DRAIN)
"""In the order in which a plan does them: a node that comes makes room for what leaves another."""

_BECOMES = {ActionKind.NODE_ACTIVATE: "active", ActionKind.NODE_DRAIN: "drain"}
_WAS = {ActionKind.NODE_ACTIVATE: "drain", ActionKind.NODE_DRAIN: "active"}


def carry_out(swarm: Swarm | None, action: EngineAction) -> None:
    """Do it. Raises InvalidInput without Docker; EngineFailed, NotFound."""
    if swarm is None:
        raise InvalidInput("Nodes of a Swarm need Docker.", code="plan_needs_docker")
    if action.kind is ActionKind.NODE_JOIN:
        swarm.join(action.name)
    else:
        swarm.set_availability(action.name, _BECOMES[action.kind])


def put_back(swarm: Swarm | None, plan: Plan) -> list[Evidence]:
    """Nodes as they were: a plan drains only one that is active, and lets only one come back that is drained."""
    seen: list[Evidence] = []
    if swarm is None:
        return seen
    for action in (a for a in plan.draft.actions if a.kind in NODES):
        if action.kind is ActionKind.NODE_JOIN:
            swarm.leave(action.name)
            seen.append(Evidence(f"host {action.name} is no node of the Swarm", ok=True))
        else:
            swarm.set_availability(action.name, _WAS[action.kind])
            seen.append(Evidence(f"node {action.name} is {_WAS[action.kind]} as before", ok=True))
    return seen
