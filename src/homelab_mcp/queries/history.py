"""What was applied, and how it ended."""

from __future__ import annotations

from typing import Any

from homelab_mcp.model.plan import PlanState
from homelab_mcp.ports import Lab

_ENDED = frozenset({PlanState.DONE, PlanState.ROLLED_BACK, PlanState.FAILED})


def history(lab: Lab, limit: int) -> list[dict[str, Any]]:
    """The latest applies, newest first: plan_id, when (Unix seconds), state, summary, asked_by, commit, seen."""
    rows = []
    for plan, status in lab.plans.list(limit * 4):
        if status.state not in _ENDED:
            continue
        rows.append(
            {
                "plan_id": plan.id,
                "when": status.updated,
                "state": str(status.state),
                "summary": plan.draft.summary,
                "asked_by": plan.asked_by.client or plan.asked_by.via,
                "commit": status.commit[:12],
                "seen": [e.what for e in status.evidence],
            }
        )
    return rows[:limit]
