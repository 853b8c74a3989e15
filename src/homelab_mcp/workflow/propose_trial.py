"""From a wish to try something out to a stored plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homelab_mcp.core.redact import is_public_name, is_secret_name
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.machine import host_of
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of


def propose_trial(lab: Lab, values: Mapping[str, Any], requester: Requester) -> Plan:
    """A plan that runs a catalog service or an image once. ``values``: fields of ``TrialRequest``, unset ones left out.

    Raises NotFound, InvalidInput (``plan_needs_docker`` where Docker is left out).
    """
    from homelab_mcp.core.operations.trial_service import TrialRequest, trial_service

    request = request_of(TrialRequest, **{k: v for k, v in values.items() if v not in (0, False)})
    if requester.via == "mcp":
        secret = [n for n, v in request.environment.items() if v and is_secret_name(n) and not is_public_name(n)]
        if secret:
            raise InvalidInput(
                f"{', '.join(sorted(secret))} looks like a secret, and secrets must not pass through a model.",
                hint="A trial needs no real secret: leave it out, and a catalog service gets a new one.",
                code="secret_in_argument",
            )
    draft = trial_service(
        lab.settings,
        request,
        find=lab.catalog.get,
        secrets=lab.secrets.make,
        argon2=lab.secrets.argon2,
        root=lab.root,
        host=host_of(lab),
    )
    if lab.files_only:
        # Said last: whoever starts Docker for a name that is misspelt has done it for nothing.
        raise InvalidInput(
            "A trial needs Docker, which is left out (files only).",
            code="plan_needs_docker",
            hint="Run without --files-only.",
        )
    return plan_of(lab, draft, planner(lab).snapshot(containers=False), requester)
