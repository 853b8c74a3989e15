"""Errors as pages: their status, a title in plain words, and what to do next."""

from __future__ import annotations

from homelab_mcp.core.redact import safe
from homelab_mcp.model.errors import (
    EngineUnavailable,
    HomelabError,
    InvalidInput,
    JournalUnwritable,
    LabLocked,
    NotFound,
    PlanRefused,
    StorageFailed,
)

_STATUS: tuple[tuple[type[HomelabError], int], ...] = (
    (NotFound, 404),
    (PlanRefused, 409),
    (LabLocked, 409),
    (JournalUnwritable, 503),
    (StorageFailed, 503),
    (EngineUnavailable, 503),
    (InvalidInput, 400),
)
_STATUS_OF_CODE = {
    "form_too_long": 413,
    "bad_form": 400,
    "csrf": 403,
    "approver_changed": 403,
    "approver_replaced": 403,
    "pin_locked": 429,
}
_TITLES = {
    "plan_unknown": "There is no such plan",
    "plan_expired": "This plan's time is over",
    "plan_used": "This plan was applied already",
    "plan_declined": "This plan was declined",
    "plan_stale": "Something changed since the plan was made",
    "plan_not_approved": "This plan is not approved",
    "policy_refused": "The lab's policy refuses this plan",
    "quiet_hours": "These are quiet hours",
    "recovery_needed": "An earlier change is not put right yet",
    "rollback_unsettled": "An earlier roll-back failed and is not put right yet",
    "lab_locked": "Another change is being applied",
    "journal_unwritable": "The journal takes no record, so nothing was changed",
    "engine_unavailable": "Docker does not answer",
    "csrf": "This form is not of your session",
    "form_too_long": "That is too long",
    "approver_changed": "The approver's key was replaced",
    "approver_replaced": "The approver's key is not the one on record",
    "bad_policy": "The lab's policy file is not readable",
    "plan_changed": "This is not the plan that you read",
}


def problem_of(error: HomelabError) -> tuple[int, str, str]:
    """(HTTP status, title, what to do next) of an error."""
    status = next((s for kind, s in _STATUS if isinstance(error, kind)), 500)
    message, hint = safe(error.message), safe(error.hint)
    title = _TITLES.get(error.code, message)
    todo = " ".join(text for text in ("" if title == message else message, hint) if text)
    return _STATUS_OF_CODE.get(error.code, status), title, todo
