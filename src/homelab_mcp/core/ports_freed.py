"""Published ports that change hands within one plan: who had one lets go of it before another is started with it.

Compose makes containers anew one by one or side by side, and the engine refuses a port that an old container still
holds. So the old one is removed first, and comes up again with the rest.
"""

from __future__ import annotations

from dataclasses import replace

from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction


def with_ports_freed(draft: Draft, before: Snapshot, after: Snapshot) -> Draft:
    """The draft in which a service that loses a published port to another is taken down first.

    Only one that the draft brings up again: what else is to go, its operation says.

    Args:
        draft: as an operation made it.
        before: the lab as it is.
        after: the lab as the draft leaves it.
    """
    up = {(a.stack, s) for a in draft.actions if a.kind is ActionKind.UP for s in a.services}
    if len(up) < 2 or before.stacks == after.stacks:
        return draft
    held = {port: (s.stack, s.name) for s in view(before).services for port in s.published()}
    holders = {port: (s.stack, s.name) for s in view(after).services for port in s.published()}
    losing = {held[port] for port, new in holders.items() if port in held and held[port] != new and new in up}
    going = {(a.stack, s) for a in draft.actions if a.kind is ActionKind.REMOVE for s in a.services}
    wanted = sorted((losing & up) - going)
    if not wanted:
        return draft
    why = "A port that it publishes goes to another service, which needs it free."
    removals = [EngineAction(ActionKind.REMOVE, why, stack, (service,)) for stack, service in wanted]
    return replace(draft, actions=(*removals, *draft.actions))
