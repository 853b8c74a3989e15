"""After a crash: finds the apply that never ended, and undoes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core.open_applies import ACCEPTED, CALL_UNKNOWN, ends, failed_applies, open_applies
from homelab_mcp.model.errors import HomelabError, NotFound, VaultLocked
from homelab_mcp.model.plan import Evidence, Plan, PlanState, PlanStatus
from homelab_mcp.workflow import trial_steps
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.approvals import STARTING, UNKNOWN
from homelab_mcp.workflow.plan_facts import known_secrets, masked
from homelab_mcp.workflow.undo_record import Before

_AT_REST = ("starting", "writing files", "create network ", "pull ", "backup", "verifying", "committing")
"""How the steps begin in which Docker is asked for nothing that it would go on with alone."""
_CALL_CODE = "call_outcome_unknown"
_AT_WORK = frozenset({PlanState.QUEUED, PlanState.APPLYING})


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """One interrupted apply and what became of it: done, rolled_back, failed, or applying where left as it is."""

    plan_id: str
    summary: str
    outcome: PlanState
    evidence: tuple[Evidence, ...]


class Recovery:
    """Puts right what a killed apply left; built from an applier's parts."""

    def __init__(self, parts: Applier) -> None:
        self._parts = parts

    def needed(self) -> bool:
        """Whether an apply began and never ended (it may be one at work right now), or a queued one never began."""
        entries = self._parts.journal.recent()
        return bool(open_applies(entries)) or any(self._abandoned(set(), ends(entries)))

    def recover(self, *, retry_failed: bool = False) -> list[RecoveryReport]:
        """Undo every interrupted apply, the latest first. A second call finds nothing to do.

        Args:
            retry_failed: also try again those whose roll-back failed; only when a person asks.

        An apply that acted on containers is left as it is while Docker does not answer, and any while the key of its
        undo data is missing: the next call finds it.

        Raises LabLocked while an apply is at work, JournalUnwritable.
        """
        with self._parts.lock.hold("recover"):
            entries = self._parts.journal.recent()
            begun = open_applies(entries, retry_failed=retry_failed)
            self._parts.plans.release()
            swept = self._parts.files.sweep_temporary()
            reports = [self._one(entry, swept) for entry in reversed(begun)]
            # After those, which tell of theirs: what is left belongs to a plan whose record is gone.
            if gone := trial_steps.sweep(self._parts.trials):
                self._parts.journal.append("trials_removed", {"names": gone})
            known = {r.plan_id for r in reports}
            if any(self._abandoned(known, ends(entries))):
                # How such a plan ended may stand further back.
                entries = self._parts.journal.entries()
            return reports + [self._settle(*found) for found in self._abandoned(known, ends(entries))]

    def accept(self, plan_id: str, who: str) -> str:
        """Take a person's word that what this plan's failed roll-back left is as they want it; its summary.

        The same for an apply whose outcome nobody can tell, as its Docker host is lost: else a machine that never comes
        back would keep every plan waiting.

        Raises NotFound (``nothing_failed``) where neither is so, or it was settled already.
        """
        with self._parts.lock.hold("recover"):
            entries = self._parts.journal.recent()
            for begin in (*failed_applies(entries), *open_applies(entries)):
                if str(begin.get("plan", "")) != plan_id:
                    continue
                lost = self._lost(plan_id)
                if lost is None and begin in open_applies(entries):
                    continue
                self._parts.journal.append(ACCEPTED, {"plan": plan_id, "who": who})
                if lost is not None:
                    text = f"{lost.error} Left as it is, by {who}."
                    self._set(plan_id, PlanState.FAILED, replace(lost, error=text, error_code=UNKNOWN))
                return str(begin.get("summary", ""))
        raise NotFound(
            "No failed roll-back of that plan is open.", hint="See `homelab-mcp history`.", code="nothing_failed"
        )

    def _lost(self, plan_id: str) -> PlanStatus | None:
        """The status of an apply that ended without anybody knowing how containers stand."""
        try:
            status = self._parts.plans.status(plan_id)
        except HomelabError:
            return None
        return status if status.state is PlanState.APPLYING and status.error_code == UNKNOWN else None

    def _one(self, begin: Mapping[str, Any], swept: list[str]) -> RecoveryReport:
        plan_id, summary = str(begin["plan"]), str(begin.get("summary", ""))
        left = [Evidence(f"{len(swept)} unfinished temp files removed", ok=True)] if swept else []
        try:
            status = self._parts.plans.status(plan_id)
            if status.state is PlanState.DONE or (status.state is PlanState.APPLYING and status.step == "verified"):
                return self._end(plan_id, summary, PlanState.DONE, status.evidence, status)
            plan = self._parts.plans.get(plan_id)
            self._parts.plans.load_undo(plan_id)
        except VaultLocked as error:
            # Not ended: the next call with the key finds it as it is now.
            sealed = Evidence("left as it is: its undo data cannot be read", ok=False, detail=error.as_text())
            return RecoveryReport(plan_id, summary, PlanState.APPLYING, (*left, sealed))
        except HomelabError as error:
            gone = Evidence(
                "the plan's record is gone, so nothing can be undone from it", ok=False, detail=error.message
            )
            return self._end(plan_id, summary, PlanState.FAILED, (*left, gone), None)
        if plan.draft.call is not None and status.step not in ("", "writing files"):
            return self._lost_call(plan, status)
        if (why := self._parts.undo.out_of_reach(plan)) is not None:
            return RecoveryReport(plan_id, summary, PlanState.APPLYING, (*left, why))
        secrets = known_secrets(plan, self._parts.files)
        undone = self._parts.undo.put_back(plan, Before.of(begin), cut_short=not _at_rest(status.step))
        self._parts.refresh()
        if undone.unknown:
            return RecoveryReport(plan_id, summary, PlanState.APPLYING, masked((*left, *undone.evidence), secrets))
        # Why it was being taken back already, when it was.
        why_not = tuple(e for e in status.evidence if not e.ok) if status.error else ()
        told_of = masked((*why_not, *left, *undone.evidence), secrets)
        evidence = told_of or (Evidence("nothing had been changed yet", ok=True),)
        outcome = PlanState.ROLLED_BACK if undone.ok else PlanState.FAILED
        told = "The apply was interrupted and taken back." if undone.ok else "The apply was interrupted."
        ended = PlanStatus(
            outcome,
            evidence=evidence,
            commit=undone.commit or status.commit,
            error=f"{status.error} {told}".strip(),
            error_code="interrupted",
        )
        return self._end(plan_id, summary, outcome, evidence, ended)

    def _lost_call(self, plan: Plan, status: PlanStatus) -> RecoveryReport:
        """A call that was under way when its apply died: nobody knows whether the service did it."""
        where = plan.draft.call.where if plan.draft.call else ""
        what = f"the apply died while it asked {where}; whether that was done is not known, and it is not asked again"
        seen = (Evidence(what, ok=False), *status.evidence)
        record = {"plan": plan.id, "evidence": [{"what": what, "ok": False, "detail": ""}], "severity": "WARNING"}
        self._parts.journal.append(CALL_UNKNOWN, record)
        text = f"The apply was interrupted. {status.error}".strip()
        self._set(
            plan.id,
            PlanState.FAILED,
            PlanStatus(PlanState.FAILED, evidence=seen, commit=status.commit, error=text, error_code=_CALL_CODE),
        )
        return RecoveryReport(plan.id, plan.draft.summary, PlanState.FAILED, seen)

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

    def _abandoned(
        self, known: set[str], ended: Mapping[str, PlanState]
    ) -> list[tuple[Plan, PlanStatus, PlanState | None]]:
        """Plans whose status is behind, with how they ended by the journal.

        The apply died before it changed anything (None), or right after its end.
        """
        found: list[tuple[Plan, PlanStatus, PlanState | None]] = []
        now = self._parts.clock.now()
        for plan, status in self._parts.plans.list(limit=50, outline=True):
            if plan.id in known or status.state not in _AT_WORK:
                continue
            late = abs(now - status.updated) >= STARTING
            if plan.id in ended or late or self._parts.plans.used(plan.id):
                found.append((plan, status, ended.get(plan.id)))
        return found

    def _settle(self, plan: Plan, status: PlanStatus, ended: PlanState | None) -> RecoveryReport:
        if ended is None:
            return self._give_up(plan, status, used=self._parts.plans.used(plan.id))
        self._set(plan.id, ended, status)
        return RecoveryReport(plan.id, plan.draft.summary, ended, status.evidence)

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


def _at_rest(step: str) -> bool:
    return step.startswith(_AT_REST)
