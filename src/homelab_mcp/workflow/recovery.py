"""After a crash: finds the apply that never ended, and undoes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Evidence, Plan, PlanState, PlanStatus
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.undo import Before, known_secrets, masked

_ENDS = {
    "apply_done": PlanState.DONE,
    "rolled_back": PlanState.ROLLED_BACK,
    "rollback_failed": PlanState.FAILED,
    "recovered": PlanState.ROLLED_BACK,
}
_AT_WORK = frozenset({PlanState.QUEUED, PlanState.APPLYING})
_STARTING = 60.0
"""Seconds that a queued plan is given to begin before it counts as abandoned."""


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """One interrupted apply and what became of it: done, rolled_back or failed."""

    plan_id: str
    summary: str
    outcome: PlanState
    evidence: tuple[Evidence, ...]


class Recovery:
    """Puts right what a killed apply left; built from an applier's parts."""

    def __init__(self, parts: Applier) -> None:
        self._parts = parts

    def needed(self) -> bool:
        """Whether an apply began and never ended; it may be one at work right now."""
        return bool(open_applies(self._parts.journal.entries()))

    def recover(self, *, retry_failed: bool = False) -> list[RecoveryReport]:
        """Undo every interrupted apply, the latest first. A second call finds nothing to do.

        Args:
            retry_failed: also try again those whose roll-back failed; only when a person asks.

        Raises LabLocked while an apply is at work, JournalUnwritable.
        """
        with self._parts.lock.hold("recover"):
            entries = self._parts.journal.entries()
            begun = open_applies(entries, retry_failed=retry_failed)
            swept = self._parts.files.sweep_temporary() if begun else []
            reports = [self._one(entry, swept) for entry in reversed(begun)]
            return reports + self._abandoned({r.plan_id for r in reports}, ends(entries))

    def _one(self, begin: Mapping[str, Any], swept: list[str]) -> RecoveryReport:
        plan_id, summary = str(begin["plan"]), str(begin.get("summary", ""))
        left = [Evidence(f"{len(swept)} unfinished temp files removed", ok=True)] if swept else []
        try:
            plan = self._parts.plans.get(plan_id)
            status = self._parts.plans.status(plan_id)
        except HomelabError as error:
            gone = Evidence(
                "the plan's record is gone, so nothing can be undone from it", ok=False, detail=error.message
            )
            return self._end(plan_id, summary, PlanState.FAILED, (*left, gone), None)
        if status.state is PlanState.DONE or (status.state is PlanState.APPLYING and status.step == "verified"):
            return self._end(plan_id, summary, PlanState.DONE, status.evidence, status)
        secrets = known_secrets(plan, self._parts.files)
        undone = self._parts.undo.put_back(plan, Before.of(begin))
        evidence = masked((*left, *undone.evidence), secrets) or (Evidence("nothing had been changed yet", ok=True),)
        outcome = PlanState.ROLLED_BACK if undone.ok else PlanState.FAILED
        ended = PlanStatus(
            outcome,
            evidence=evidence,
            commit=undone.commit or status.commit,
            error="The apply was interrupted and taken back." if undone.ok else "The apply was interrupted.",
            error_code="interrupted",
        )
        return self._end(plan_id, summary, outcome, evidence, ended)

    def _end(
        self, plan_id: str, summary: str, outcome: PlanState, evidence: tuple[Evidence, ...], status: PlanStatus | None
    ) -> RecoveryReport:
        seen = [{"what": e.what, "ok": e.ok, "detail": e.detail} for e in evidence]
        failed = outcome is PlanState.FAILED
        event = "rollback_failed" if failed else "recovered"
        record = {"plan": plan_id, "outcome": str(outcome), "evidence": seen}
        self._parts.journal.append(event, {**record, **({"severity": "CRITICAL"} if failed else {})})
        if status is not None:
            self._set(plan_id, outcome, status)
        return RecoveryReport(plan_id, summary, outcome, evidence)

    def _abandoned(self, known: set[str], ended: Mapping[str, PlanState]) -> list[RecoveryReport]:
        """Plans whose status is behind: the apply died before it changed anything, or right after its end."""
        reports = []
        now = self._parts.clock.now()
        for plan, status in self._parts.plans.list(limit=50):
            if plan.id in known or status.state not in _AT_WORK:
                continue
            if plan.id in ended:
                self._set(plan.id, ended[plan.id], status)
                reports.append(RecoveryReport(plan.id, plan.draft.summary, ended[plan.id], status.evidence))
                continue
            used = self._parts.plans.used(plan.id)
            if not used and now - status.updated < _STARTING:
                continue
            reports.append(self._give_up(plan, status, used=used))
        return reports

    def _give_up(self, plan: Plan, status: PlanStatus, *, used: bool) -> RecoveryReport:
        seen = (Evidence("nothing had been changed yet", ok=True),)
        outcome = PlanState.ROLLED_BACK if used else PlanState.APPROVED
        text = "The apply was interrupted before it changed anything."
        self._set(plan.id, outcome, PlanStatus(outcome, evidence=seen, error=text, error_code="interrupted"))
        return RecoveryReport(plan.id, plan.draft.summary, outcome, seen)

    def _set(self, plan_id: str, outcome: PlanState, status: PlanStatus) -> None:
        self._parts.plans.set_status(
            plan_id,
            PlanStatus(
                state=outcome,
                evidence=status.evidence,
                commit=status.commit,
                error=status.error,
                error_code=status.error_code,
                updated=self._parts.clock.now(),
            ),
        )


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
    return list(found.values())
