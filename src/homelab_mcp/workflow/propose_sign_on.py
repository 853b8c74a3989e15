"""From a request about people and access to a stored plan; new passwords go to a person, past the caller."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core.operations.manage_user import NEEDS_PASSWORD, ManageUserRequest, manage_user
from homelab_mcp.core.operations.set_access import SetAccessRequest, set_access
from homelab_mcp.core.operations.set_sign_on import SetSignOnRequest, set_sign_on
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of

SHORTEST = 12
"""Characters of a password that a person chooses; NIST SP 800-63B-4 asks for 15 where it is the only factor, 8 else."""


@dataclass(frozen=True, slots=True)
class UserPlan:
    """A plan about a person; ``waits`` is the file that a made password waits in, "" where there is none."""

    plan: Plan
    waits: str = ""


def propose_set_access(lab: Lab, requester: Requester, **values: Any) -> Plan:
    """A plan that changes who may pass to services. Raises InvalidInput, NotFound, EditRefused."""
    request = request_of(SetAccessRequest, **values)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = set_access(snapshot, lab.settings, request, find=lab.catalog.get, read=lab.files.read)
    return plan_of(lab, draft, snapshot, requester)


def propose_set_sign_on(lab: Lab, requester: Requester, **values: Any) -> Plan:
    """A plan that changes sessions or notices. Raises InvalidInput, NotFound, EditRefused."""
    request = request_of(SetSignOnRequest, **values)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = set_sign_on(snapshot, lab.settings, request, read=lab.files.read)
    return plan_of(lab, draft, snapshot, requester)


def propose_manage_user(lab: Lab, requester: Requester, *, password: str = "", **values: Any) -> UserPlan:
    """A plan about one person.

    Args:
        lab: the lab.
        requester: who asks.
        password: what a person typed; "" makes one, which waits in a file that only the lab's owner can read.
        values: the request's.

    Raises InvalidInput (``weak_password``, and the operation's), NotFound, EditRefused.
    """
    request = request_of(ManageUserRequest, **values)
    hashed, made = "", ""
    if request.action in NEEDS_PASSWORD:
        if password and len(password) < SHORTEST:
            raise InvalidInput(
                f"A password has at least {SHORTEST} characters.",
                hint="A few words make a good one.",
                code="weak_password",
            )
        made = "" if password else lab.secrets.make("alnum", 20)
        hashed = lab.secrets.argon2(password or made)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = manage_user(snapshot, lab.settings, request, read=lab.files.read, password_hash=hashed)
    if made:
        told = f"A password was made; a person reads it, once, with `homelab-mcp user password {request.name}`."
        draft = replace(draft, notes=(told, *draft.notes))
    plan = plan_of(lab, draft, snapshot, requester)
    # Last, so that a refused plan leaves no password behind.
    return UserPlan(plan, lab.handover.leave(request.name, made) if made else "")
