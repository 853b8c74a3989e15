"""From a request to start, stop, restart, recreate or pause to a stored plan."""

from __future__ import annotations

from collections.abc import Sequence

from homelab_mcp.core.operations.control import ControlRequest, control
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import check_stack, find_in
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of


def propose_control(lab: Lab, action: str, services: Sequence[str], stack: str, requester: Requester) -> Plan:
    """A plan that acts on services of one stack, or on a whole stack where none is named.

    Raises NotFound, InvalidInput; EngineUnavailable.
    """
    if lab.files_only:
        raise InvalidInput(
            "Containers need Docker, which is left out here (files only).",
            hint="The person starts the server without --files-only.",
            code="plan_needs_docker",
        )
    snapshot = planner(lab).snapshot(containers=True)
    if not services and not stack:
        raise InvalidInput("Nothing was named.", hint="Name a service or a stack.", code="nothing_to_do")
    places = [find_in(snapshot.stacks, word, stack) for word in services]
    stacks = {place[0] for place in places} or {check_stack(snapshot.stacks, stack).name}
    if len(stacks) > 1:
        raise InvalidInput("These services are of several stacks.", hint="One stack a plan: ask for each.")
    name = stacks.pop()
    request = request_of(ControlRequest, action=action, stack=name, services=tuple(place[1] for place in places))
    return plan_of(lab, control(snapshot, request, stale_services(lab, snapshot, name)), snapshot, requester)


def stale_services(lab: Lab, snapshot: Snapshot, stack: str) -> set[str]:
    """Services whose containers were made from another text than their file is now; none where Compose refuses it."""
    try:
        hashes = lab.compose.hashes(stack)
    except HomelabError:
        return set()
    mine = [c for c in snapshot.containers or () if c.stack == stack and c.config_hash]
    return {c.service for c in mine if hashes.get(c.service) not in (None, "", c.config_hash)}
