"""From a request about external services to a stored plan, and what there is."""

from __future__ import annotations

from typing import Any

from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of


def propose_external(lab: Lab, name: str, values: dict[str, Any], requester: Requester) -> Plan:
    """A plan that routes to an external service, or changes how; unset ("") values stay as they are.

    Raises InvalidInput, EditRefused.
    """
    from homelab_mcp.core.operations.external_route import ExternalRequest, add_external

    given = {k: v for k, v in values.items() if v not in ("", None, ())}
    request = request_of(ExternalRequest, name=name, values=given)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = add_external(snapshot, lab.settings, request, read=lab.files.read)
    return plan_of(lab, draft, snapshot, requester)


def propose_remove_external(lab: Lab, name: str, requester: Requester) -> Plan:
    """A plan that takes the route to an external service away. Raises NotFound, EditRefused."""
    from homelab_mcp.core.operations.external_route import remove_external

    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = remove_external(snapshot, lab.settings, name, read=lab.files.read)
    return plan_of(lab, draft, snapshot, requester)


def external_rows(lab: Lab) -> list[dict[str, str]]:
    """Every external service as a row: name, url (where it is reached), backend, sso, tls, title."""
    settings = lab.settings
    return [
        {
            "name": name,
            "url": f"https://{route.host_name(name, settings.domain)}{route.path}",
            "backend": route.url,
            "sso": f"{route.sso} ({', '.join(route.sso_groups)})" if route.sso_groups else route.sso,
            "tls": route.tls if route.url.startswith("https://") else "",
            "title": route.shown(name),
        }
        for name, route in sorted(settings.external.items())
    ]
