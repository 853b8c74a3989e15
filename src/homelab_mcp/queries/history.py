"""What was applied, and how it ended."""

from __future__ import annotations

from typing import Any

from homelab_mcp.model.plan import PlanState
from homelab_mcp.ports import Lab

_MOST = 10_000
_ENDED = frozenset({PlanState.DONE, PlanState.ROLLED_BACK, PlanState.FAILED})


def history(lab: Lab, limit: int, offset: int = 0) -> list[dict[str, Any]]:
    """Applies, newest first: plan_id, when (Unix seconds), state, summary, asked_by, approved_by, commit, seen."""
    rows = []
    ended = [row for row in lab.plans.list(_MOST, outline=True) if row[1].state in _ENDED]
    for plan, status in sorted(ended, key=lambda row: -row[1].updated)[offset : offset + limit]:
        approval = lab.plans.approval(plan.id)
        rows.append(
            {
                "plan_id": plan.id,
                "when": status.updated,
                "state": str(status.state),
                "summary": plan.draft.summary,
                "asked_by": plan.asked_by.client or plan.asked_by.via,
                "approved_by": approval.who if approval else "policy",
                "commit": status.commit[:12],
                "seen": [e.what for e in status.evidence],
            }
        )
    return rows
