"""From a wish for new certificates to a stored plan."""

from __future__ import annotations

from collections.abc import Sequence

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of


def propose_renew_certs(lab: Lab, names: Sequence[str], requester: Requester, *, force: bool = False) -> Plan:
    """A plan that renews the certificates of these names, or those that are due. Raises NotFound, InvalidInput."""
    from homelab_mcp.core.operations.renew_certs import RenewCertsRequest, renew_certs
    from homelab_mcp.queries.cert_facts import cert_facts

    if lab.files_only:
        raise InvalidInput(
            "Traefik renews certificates, and Docker is left out (files only).",
            code="plan_needs_docker",
            hint="Run without --files-only.",
        )
    request = request_of(RenewCertsRequest, names=tuple(names), force=force)
    snapshot = planner(lab).snapshot(containers=True)
    return plan_of(lab, renew_certs(cert_facts(lab), request), snapshot, requester)
