"""Taking back in git what an apply committed."""

from __future__ import annotations

from homelab_mcp.model.plan import Plan
from homelab_mcp.ports import History
from homelab_mcp.workflow.plan_facts import is_commit_of, public_paths

_RECENT = 20
"""Commits among which an apply's own is looked for: it is the last one, but for what a person added since."""


def uncommit(history: History, plan: Plan) -> str:
    """Take back in git what an apply committed before it was cut off; "" where it had come to no commit.

    Git gets what it held before the apply, not what is on disk: a person's own edit is theirs to commit.
    """
    log = history.log(_RECENT)
    mine = [n for n, commit in enumerate(log) if f"Plan: {plan.id}" in commit.message.splitlines()]
    if not mine or not any(is_commit_of(plan, log[n].message) for n in mine):
        return ""
    paths = public_paths(plan)
    base = log[mine[-1] + 1].id if mine[-1] + 1 < len(log) else ""
    before = history.committed(paths, base) if base else dict.fromkeys(paths)
    edits = {e.path: e for e in (*plan.draft.edits, *plan.draft.adopts)}
    texts = {
        path: (before[path], edits[path].mode)
        for path, text in history.committed(paths).items()
        if text == edits[path].after and text != before[path]
    }
    message = f"Roll back: {plan.draft.summary}\n\nPlan: {plan.id}\n"
    return history.commit(sorted(texts), message, texts=texts) if texts else ""
