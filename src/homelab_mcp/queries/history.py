"""What was applied, and how it ended."""

from __future__ import annotations

from typing import Any

from homelab_mcp.model.plan import Plan, PlanState
from homelab_mcp.ports import Lab

MOST = 10_000
"""Plans that are looked through."""


def history(lab: Lab, limit: int, offset: int = 0) -> list[dict[str, Any]]:
    """Applies, newest first: plan_id, when (Unix seconds), state, summary, asked_by, approved_by, commit, seen.

    Of a lab that is seen through one host, those that changed something there.
    """
    rows = []
    if not lab.seen:
        ended = lab.plans.ended(offset + limit)
    else:
        from homelab_mcp.queries.plan_hosts import changed_here

        here, asked = changed_here(lab), 0
        while True:
            # Most pages are of the newest: not all that ever was is read for one.
            asked = 4 * asked or offset + limit
            found = lab.plans.ended(asked)
            ended = [row for row in found if here(row[0])]
            if len(ended) >= offset + limit or len(found) < asked:
                break
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


def applied(lab: Lab, *, outline: bool = False) -> list[Plan]:
    """Plans (or their outlines) that were applied and held, in the order in which they were."""
    known = lab.plans.list(MOST, outline=outline)
    done = [(status.updated, plan.created, plan) for plan, status in known if _held(status.state)]
    return [plan for _, _, plan in sorted(done, key=lambda row: row[:2])]


def taken_back(lab: Lab, plan_id: str, to: str) -> tuple[list[Plan], list[str]]:
    """The outlines of what a roll-back takes back, and paths that applies without a record wrote since.

    Args:
        lab: the lab.
        plan_id: an apply.
        to: "" is that apply alone; ``before`` it and all since, ``after`` those since.

    Raises NotFound, InvalidInput (plan_corrupt); what the lab's history raises.
    """
    plan, done = lab.plans.outline(plan_id), applied(lab, outline=True) if to else []
    place = next((n for n, one in enumerate(done) if one.id == plan_id), None)
    if place is None:
        return [plan], []
    if to != "after":
        return done[place:], []
    commit = lab.plans.status(plan_id).commit
    return done[place + 1 :], sorted(unrecorded(lab, commit)) if commit else []


def unrecorded(lab: Lab, since: str) -> dict[str, str]:
    """Paths that applies wrote after that commit whose plans are no longer on record -> those commits' first lines."""
    known = {plan.id for plan, _ in lab.plans.list(MOST)}
    found: dict[str, str] = {}
    for commit in lab.history.log(MOST):
        if commit.id == since:
            return found
        ids = [line.removeprefix("Plan:").strip() for line in commit.message.splitlines() if line.startswith("Plan:")]
        if ids and not known & set(ids):
            found |= dict.fromkeys(commit.paths, commit.message.splitlines()[0])
    # The commit is not in this history: nothing can be told from it.
    return {}


def _held(state: PlanState) -> bool:
    return state is PlanState.DONE
