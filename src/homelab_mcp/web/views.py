"""What the page's templates are given: plain data, with every text masked as it is anywhere else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from homelab_mcp.core.diff import is_secret, secrets_of, unified
from homelab_mcp.core.redact import safe, secret_values
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.plan import FileEdit, Plan, PlanState, PlanStatus
from homelab_mcp.ports import Lab
from homelab_mcp.queries.history import history
from homelab_mcp.workflow.approvals import RUNNING
from homelab_mcp.workflow.assembly import approvals
from homelab_mcp.workflow.plan_view import action_lines

LOOK_BACK = 3 * 3600.0
"""Seconds: no plan waits longer than two hours (``plan_minutes`` allows 120), so older records are not read."""

DIFF_LINES = 3000
"""Lines of one file's diff; what is cut is said, and whole at the command line."""

_WORDS = {
    PlanState.PENDING: "waits for your answer",
    PlanState.APPROVED: "approved, not applied yet",
    PlanState.DECLINED: "declined",
    PlanState.EXPIRED: "expired",
    PlanState.QUEUED: "about to start",
    PlanState.APPLYING: "being applied",
    PlanState.DONE: "done and verified",
    PlanState.ROLLED_BACK: "put back: it did not hold",
    PlanState.FAILED: "failed",
}
_SIGNS = {"+": "add", "-": "del", "~": "mod", "@": "hunk"}


class Mask:
    """Takes the lab's secrets, and what else looks like one, out of text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = tuple(dict.fromkeys(secrets))

    def text(self, text: str) -> str:
        """One text, masked."""
        return safe(text, self.secrets)

    def lines(self, texts: Sequence[str]) -> list[str]:
        """One-line texts, masked in one pass: each pass over many secrets costs the same, however short the text."""
        flat = [" ".join(t.split()) for t in texts]
        whole = safe("\n".join(flat), self.secrets).split("\n")
        # What spans lines (a key block) swallows some; then each is masked by itself.
        return whole if len(whole) == len(flat) else [safe(t, self.secrets).replace("\n", " ") for t in flat]


def mask_of(lab: Lab) -> Mask:
    """The mask of a lab: the secret values in its stacks' ``.env`` files."""
    found: list[str] = []
    for stack, _ in lab.files.stack_folders():
        found += secret_values(lab.files.read(f"{stack}/.env") or "")
    return Mask(found)


def zone_of(lab: Lab) -> tzinfo:
    """The lab's time zone; UTC where its settings or policy cannot be read."""
    try:
        return lab.policy.zone
    except HomelabError:
        return UTC


def clock_text(when: float, zone: tzinfo) -> str:
    """A time as people read it."""
    return datetime.fromtimestamp(when, zone).strftime("%Y-%m-%d %H:%M")


@dataclass(frozen=True, slots=True)
class Row:
    """A plan in a list. ``expires`` is Unix seconds, 0 where the plan waits for nothing."""

    id: str
    summary: str
    risk: str
    state: str
    words: str
    asked_by: str
    made: str
    expires: float
    left: str
    step: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The list page: ``version`` differs when something but the time does."""

    waiting: list[Row]
    under_way: list[Row]
    version: str


def listing(lab: Lab) -> Listing:
    """Plans that wait for an answer, and those that were approved or are being applied; newest first."""
    now, zone, desk = lab.clock.now(), zone_of(lab), approvals(lab)
    found: list[tuple[Plan, PlanStatus]] = []
    wanted = {PlanState.PENDING, PlanState.APPROVED, *RUNNING}
    for plan, status in lab.plans.list(1000, since=now - LOOK_BACK):
        current = desk.state(plan.id) if status.state in wanted else status
        if current.state in wanted:
            found.append((plan, current))
    texts = mask_of(lab).lines([t for p, s in found for t in (p.draft.summary, asker(p), s.step)])
    rows = [
        Row(
            id=plan.id,
            summary=texts[3 * n],
            risk=plan.risk.word,
            state=str(status.state),
            words=_WORDS[status.state],
            asked_by=texts[3 * n + 1],
            made=clock_text(plan.created, zone),
            expires=plan.expires if status.state not in RUNNING else 0,
            left=left(plan.expires - now) if status.state not in RUNNING else "",
            step=texts[3 * n + 2],
        )
        for n, (plan, status) in enumerate(found)
    ]
    waiting = [r for r in rows if r.state == PlanState.PENDING]
    under_way = [r for r in rows if r.state != PlanState.PENDING]
    return Listing(waiting, under_way, _version([(r.id, r.state, r.step) for r in rows]))


def detail(lab: Lab, plan_id: str) -> dict[str, Any]:
    """One plan whole, with ``standing``. Raises NotFound."""
    plan, zone = lab.plans.get(plan_id), zone_of(lab)
    mask = _mask_for(lab, plan)
    worst_first = sorted(plan.findings, key=lambda f: list(Severity).index(f.severity))
    return {
        **standing(lab, plan_id),
        "operation": mask.text(plan.draft.operation.replace("_", " ")),
        "asked_by": mask.text(asker(plan)),
        "made": clock_text(plan.created, zone),
        "reasons": mask.lines(plan.reasons),
        "actions": mask.lines(action_lines(plan.draft)),
        "findings": mask.lines([f.as_line() for f in worst_first]),
        "notes": mask.lines(plan.draft.notes),
        "files": [changed(edit, mask) for edit in plan.draft.edits if edit.before != edit.after],
    }


def standing(lab: Lab, plan_id: str) -> dict[str, Any]:
    """Where a plan stands, and what a person may do about it: what changes while the page is open. Raises NotFound."""
    plan, policy, zone, now = lab.plans.get(plan_id), lab.policy, zone_of(lab), lab.clock.now()
    mask = _mask_for(lab, plan)
    status, given = approvals(lab).state(plan_id), lab.plans.approval(plan_id)
    rests, refused = policy.rests_until(plan.risk, now), policy.demand(plan) == "refuse"
    open_to_answer = status.state in (PlanState.PENDING, PlanState.APPROVED)
    gone = status.error_code == "interrupted"
    return {
        "id": plan.id,
        "digest": plan.digest,
        "summary": mask.text(plan.draft.summary),
        "risk": plan.risk.word,
        "word": word(plan, mask),
        "undo": mask.text(plan.draft.undo),
        "expires": plan.expires if open_to_answer else 0,
        "expires_text": clock_text(plan.expires, zone),
        "left": left(plan.expires - now),
        "answered": f"{mask.text(given.who)}, {clock_text(given.when, zone)}" if given else "",
        "answer_reason": mask.text(given.reason) if given else "",
        "rests": f"{rests:%H:%M}" if rests else "",
        "state": str(status.state),
        "words": _WORDS[status.state],
        "step": mask.text(status.step),
        "evidence": [{"ok": e.ok, "what": mask.text(e.what), "detail": mask.text(e.detail)} for e in status.evidence],
        "commit": status.commit[:12],
        "error": mask.text(status.error),
        "refused": refused,
        "asks_nobody": policy.demand(plan) == "automatic",
        "may_answer": status.state is PlanState.PENDING,
        "may_apply": status.state is PlanState.APPROVED or gone,
        "running": status.state in RUNNING and not gone,
        "gone": gone,
        "version": _version([asdict(status), refused, bool(rests)]),
    }


def _mask_for(lab: Lab, plan: Plan) -> Mask:
    return Mask([*mask_of(lab).secrets, *plan.draft.secrets, *secrets_of(plan.draft.edits)])


def word(plan: Plan, mask: Mask) -> str:
    """What a person types to approve a plan of high risk: its target as the page shows it."""
    return " ".join(mask.text(plan.draft.target).split()) or plan.id[:8]


def asker(plan: Plan) -> str:
    """Who asked for the plan, in their own words."""
    by = plan.asked_by
    return f"{by.client} {by.version}".strip() + f" ({by.via})" if by.client else by.via


def changed(edit: FileEdit, mask: Mask) -> dict[str, Any]:
    """One file's diff as lines of (kind, sign, text): kind is add, del, mod, hunk or same."""
    lines, told = [], is_secret(edit)
    for line in unified([edit], mask.secrets).splitlines()[2:]:
        kind = _SIGNS.get(line[:1], "same")
        text = line if kind == "hunk" else line[1:]
        # Of a secret file names are told, not lines: the space after their sign is no indentation.
        lines.append((kind, "" if kind in {"hunk", "same"} else line[0], text.strip() if told else text))
    cut = max(0, len(lines) - DIFF_LINES)
    return {
        "path": mask.text(edit.path),
        "what": "new file" if edit.before is None else "deleted" if edit.after is None else "changed",
        "added": sum(kind == "add" for kind, _, _ in lines),
        "removed": sum(kind == "del" for kind, _, _ in lines),
        "lines": lines[:DIFF_LINES],
        "cut": cut,
    }


def left(seconds: float) -> str:
    """Time left, as the page counts it down."""
    if seconds <= 0:
        return "time is over"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


def past(lab: Lab, limit: int, offset: int) -> list[dict[str, Any]]:
    """Applies, newest first, as ``queries.history`` tells them, masked."""
    zone, mask = zone_of(lab), mask_of(lab)
    rows = []
    for row in history(lab, limit, offset):
        state = PlanState(row["state"])
        rows.append(
            {
                "id": row["plan_id"],
                "when": clock_text(row["when"], zone),
                "state": str(state),
                "words": _WORDS[state],
                "summary": mask.text(row["summary"]),
                "asked_by": mask.text(row["asked_by"]),
                "approved_by": mask.text(row["approved_by"]),
                "commit": row["commit"],
                "seen": [mask.text(s) for s in row["seen"]],
            }
        )
    return rows


def journal_rows(lab: Lab, entries: Sequence[Any], first: int, last: int) -> list[dict[str, Any]]:
    """The entries from ``first`` to before ``last`` for people, newest first, each with its plan's summary."""
    zone, mask = zone_of(lab), mask_of(lab)
    # A line that somebody wrote by hand may lack anything.
    told = [(e, d if isinstance(d := e.get("data"), dict) else {}) for e in entries if isinstance(e, dict)]
    summaries = {str(d.get("plan")): d.get("summary") for e, d in told if e.get("event") == "plan_made"}
    rows = []
    for entry, data in reversed(told[first:last]):
        plan, who = str(data.get("plan", "")), str(data.get("who", ""))
        about = str(data.get("summary") or summaries.get(plan) or data.get("cause") or "")
        rows.append(
            {
                "seq": str(entry.get("seq", "")),
                "when": _when(entry.get("time"), zone),
                "event": mask.text(str(entry.get("event", ""))).replace("_", " "),
                "plan": plan,
                "data": mask.text(json.dumps(data, indent=1, ensure_ascii=False)),
                "says": mask.text(", ".join(t for t in (about, who and f"by {who}") if t)),
            }
        )
    return rows


def _when(value: object, zone: tzinfo) -> str:
    try:
        return clock_text(float(str(value)), zone)
    except (ValueError, OverflowError, OSError):
        return ""


def _version(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]
