"""Which applies the journal says began and never ended, or ended with a roll-back that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from homelab_mcp.model.plan import PlanState

ACCEPTED = "rollback_accepted"
"""A person says that what a failed roll-back left is as they want it."""

CALL_UNKNOWN = "call_unknown"
"""Nobody knows whether a service did what its API was asked for. Nothing of the lab's own is half done by that."""

_ENDS = {
    "apply_done": PlanState.DONE,
    "rolled_back": PlanState.ROLLED_BACK,
    "rollback_failed": PlanState.FAILED,
    "recovered": PlanState.ROLLED_BACK,
    CALL_UNKNOWN: PlanState.FAILED,
}


def ends(entries: Iterable[Mapping[str, Any]]) -> dict[str, PlanState]:
    """Plan id to how its apply ended, by the journal."""
    found = {}
    for entry in entries:
        if entry.get("event") in _ENDS:
            data = entry.get("data") or {}
            state = PlanState(data["outcome"]) if "outcome" in data else _ENDS[entry["event"]]
            found[str(data.get("plan", ""))] = state
    return found


def open_applies(entries: Iterable[Mapping[str, Any]], *, retry_failed: bool = False) -> list[Mapping[str, Any]]:
    """The ``apply_begin`` records without an end, oldest first."""
    found: dict[str, Mapping[str, Any]] = {}
    begun: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        data = entry.get("data") or {}
        plan = str(data.get("plan", ""))
        if entry.get("event") == "apply_begin":
            found[plan] = begun[plan] = data
        elif entry.get("event") in _ENDS:
            found.pop(plan, None)
            if retry_failed and entry.get("event") == "rollback_failed" and plan in begun:
                found[plan] = begun[plan]
        elif entry.get("event") == ACCEPTED:
            found.pop(plan, None)
    return list(found.values())


def failed_applies(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The ``apply_begin`` records of those whose roll-back failed and that nobody has settled since, oldest first."""
    entries = list(entries)
    running = {str(e.get("plan", "")) for e in open_applies(entries)}
    return [e for e in open_applies(entries, retry_failed=True) if str(e.get("plan", "")) not in running]
