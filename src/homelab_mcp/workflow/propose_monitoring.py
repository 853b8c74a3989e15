"""From a wish to watch the lab to a stored plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from homelab_mcp.core.operations.request import AddServiceRequest
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.machine import host_of
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of


def propose_monitoring(
    lab: Lab, parts: Sequence[str], requester: Requester, *, stack: str = "", notify_url: str = ""
) -> Plan:
    """A plan that sets up parts of the monitoring.

    Args:
        lab: the lab.
        parts: uptime, metrics, dashboards, logs, alerts.
        requester: who asks.
        stack: where new services go; each definition's own when "".
        notify_url: where alerts go; from a person at a terminal, never a model.

    Raises InvalidInput, NotFound, EditRefused.
    """
    from homelab_mcp.core.operations.add_service import add_service
    from homelab_mcp.core.operations.core_stack import Read
    from homelab_mcp.core.operations.setup_monitoring import MonitoringRequest, setup_monitoring

    request = request_of(MonitoringRequest, parts=tuple(dict.fromkeys(parts)), stack=stack, notify_url=notify_url)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    settings, host = lab.settings, host_of(lab)

    def add(snapshot: Snapshot, request: AddServiceRequest, *, read: Read, alongside: Collection[str]) -> Draft:
        return add_service(
            snapshot,
            settings,
            request,
            find=lab.catalog.get,
            secrets=lab.secrets.make,
            argon2=lab.secrets.argon2,
            root=lab.root,
            read=read,
            alongside=alongside,
            host=host,
        )

    draft = setup_monitoring(snapshot, request, find=lab.catalog.get, add=add, read=lab.files.read)
    return plan_of(lab, draft, snapshot, requester)
