"""What was applied, and how it ended."""

from __future__ import annotations

from typing import Any

from homelab_mcp.model.plan import Plan, PlanState
from homelab_mcp.ports import Lab

_MOST = 10_000


def history(lab: Lab, limit: int, offset: int = 0) -> list[dict[str, Any]]:
    """Applies, newest first: plan_id, when (Unix seconds), state, summary, asked_by, approved_by, commit, seen.

    Of a lab that is seen through one host, those that changed something there.
    """
    rows = []
    if not lab.seen:
        ended = lab.plans.ended(offset + limit)
    else:
        from homelab_mcp.queries.on_host import changed_here

        here = changed_here(lab)
        ended = [row for row in lab.plans.ended(_MOST) if here(row[0])]
    for plan, status in ended[offset : offset + limit]:
        approval = lab.plans.approval(plan.id)
        rows.append(
            {
                "plan_id": plan.id,
                "when": status.updated,
                "state": str(status.state),
                "summary": plan.draft.summary,
                "asked_by": plan.asked_by.name,
                "approved_by": approval.who if approval else "policy",
                "commit": status.commit[:12],
                "seen": [e.what for e in status.evidence],
            }
        )
    return rows


def applied(lab: Lab) -> list[Plan]:
    """Plans that were applied and held, in the order in which they were."""
    done = [(status.updated, plan.created, plan) for plan, status in lab.plans.list(_MOST) if _held(status.state)]
    return [plan for _, _, plan in sorted(done, key=lambda row: row[:2])]


def unrecorded(lab: Lab, since: str) -> dict[str, str]:
    """Paths that applies wrote after that commit whose plans are no longer on record -> those commits' first lines."""
    known = {plan.id for plan, _ in lab.plans.list(_MOST)}
    found: dict[str, str] = {}
    for commit in lab.history.log(_MOST):
        if commit.id == since:
            return found
        ids = [line.removeprefix("Plan:").strip() for line in commit.message.splitlines() if line.startswith("Plan:")]
        if ids and not known & set(ids):
            found |= dict.fromkeys(commit.paths, commit.message.splitlines()[0])
    # The commit is not in this history: nothing can be told from it.
    return {}


def _held(state: PlanState) -> bool:
    return state is PlanState.DONE
