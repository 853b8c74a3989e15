"""From a request about lazy loading to a stored plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from homelab_mcp.core.after import reader_after, stacks_after
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of

if TYPE_CHECKING:
    from homelab_mcp.core.operations.lazy_request import LazyRequest


def propose_lazy_loading(
    lab: Lab, service: str, stack: str, *, on: bool, options: dict[str, Any], requester: Requester
) -> Plan:
    """A plan that lets a service sleep while nobody visits it, or not any more.

    With the first one that sleeps on another host comes a Sablier there, which goes with the last one.

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
    from homelab_mcp.queries.find import find_service

    stack, service = find_service(lab.files, service, stack)
    request = request_of(LazyRequest, stack=stack, service=service, on=on, **options)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    return plan_of(lab, _draft(lab, snapshot, request), snapshot, requester)


def asleep_too(lab: Lab, draft: Draft, snapshot: Snapshot) -> Draft:
    """The draft of an addition, with lazy loading for the service that it adds."""
    from homelab_mcp.core.drafts import then
    from homelab_mcp.core.operations.lazy_request import LazyRequest

    request = request_of(LazyRequest, stack=draft.verification.stack, service=draft.target, on=True)
    return then(draft, _draft(lab, _after(snapshot, draft), request, draft))


def _draft(lab: Lab, snapshot: Snapshot, request: LazyRequest, done: Draft | None = None) -> Draft:
    """What is asked, with the Sablier of the service's host where that comes or goes along.

    ``done`` is what comes first in the same plan; the snapshot has its files already.
    """
    from homelab_mcp.core.operations.set_lazy_loading import set_lazy_loading
    from homelab_mcp.workflow.lazy_server import coming, going, joined

    read = reader_after(lab.files.read, done.edits if done else ())

    def asked(now: Snapshot) -> Draft:
        return set_lazy_loading(now, lab.settings, request, find=lab.catalog.get, read=read)

    if request.on and (server := coming(lab, snapshot, request)):
        return joined(asked(_after(snapshot, server)), server, first=server)
    draft = asked(snapshot)
    if server := going(lab, snapshot, _after(snapshot, draft), request.stack, request.service):
        return joined(draft, server, first=draft)
    return draft


def without_sleeper(lab: Lab, draft: Draft, snapshot: Snapshot, stack: str, service: str) -> Draft:
    """The draft of a removal, with that of the Sablier which came for the service and has nobody else."""
    from homelab_mcp.core.drafts import then
    from homelab_mcp.workflow.lazy_server import going

    server = going(lab, snapshot, _after(snapshot, draft), stack, service)
    return then(draft, server) if server else draft


def _after(snapshot: Snapshot, draft: Draft) -> Snapshot:
    return replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits))
