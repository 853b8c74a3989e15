"""From a request about lazy loading to a stored plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from homelab_mcp.core.after import reader_after, stacks_after
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of


def propose_lazy_loading(
    lab: Lab, service: str, stack: str, *, on: bool, options: dict[str, Any], requester: Requester
) -> Plan:
    """A plan that lets a service sleep while nobody visits it, or not any more.

    Args:
        lab: the lab.
        service: its compose name, ``stack/service`` or container name.
        stack: its stack; "" where the name is in one only.
        on: whether it is to sleep.
        options: session, theme, strategy; unset ones have their defaults.
        requester: who asks.

    Raises NotFound, InvalidInput, EditRefused.
    """
    from homelab_mcp.core.operations.lazy_request import LazyRequest
    from homelab_mcp.core.operations.set_lazy_loading import set_lazy_loading
    from homelab_mcp.queries.find import find_service

    stack, service = find_service(lab.files, service, stack)
    request = request_of(LazyRequest, stack=stack, service=service, on=on, **options)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = set_lazy_loading(snapshot, lab.settings, request, find=lab.catalog.get, read=lab.files.read)
    return plan_of(lab, draft, snapshot, requester)


def asleep_too(lab: Lab, draft: Draft, snapshot: Snapshot) -> Draft:
    """The draft of an addition, with lazy loading for the service that it adds."""
    from homelab_mcp.core.drafts import then
    from homelab_mcp.core.operations.lazy_request import LazyRequest
    from homelab_mcp.core.operations.set_lazy_loading import set_lazy_loading

    request = request_of(LazyRequest, stack=draft.verification.stack, service=draft.target, on=True)
    after = replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits))
    read = reader_after(lab.files.read, draft.edits)
    return then(draft, set_lazy_loading(after, lab.settings, request, find=lab.catalog.get, read=read))
