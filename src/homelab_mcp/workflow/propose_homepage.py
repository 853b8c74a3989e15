"""From a request about the start page to a stored plan."""

from __future__ import annotations

from typing import Any

from homelab_mcp.core.operations.set_homepage import SetHomepageRequest, set_homepage
from homelab_mcp.core.operations.set_widget import SetWidgetRequest, set_widget
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of


def propose_set_homepage(lab: Lab, requester: Requester, **values: Any) -> Plan:
    """A plan that changes the start page itself. Raises InvalidInput, NotFound, EditRefused."""
    request = request_of(SetHomepageRequest, **values)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    return plan_of(lab, set_homepage(snapshot, lab.settings, request, read=lab.files.read), snapshot, requester)


def propose_set_widget(lab: Lab, requester: Requester, **values: Any) -> Plan:
    """A plan that gives a service its widget, or takes it away. Raises InvalidInput, NotFound, EditRefused."""
    if requester.via == "mcp" and values.get("secrets"):
        raise InvalidInput("Secrets must not pass through a model.", code="secret_in_argument")
    request = request_of(SetWidgetRequest, **values)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    return plan_of(lab, set_widget(snapshot, request, find=lab.catalog.get), snapshot, requester)
