"""An apply whose one action is a call of a service's API: it ends otherwise than one that only touches the lab."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from homelab_mcp.core.open_applies import CALL_UNKNOWN
from homelab_mcp.model.errors import InvalidInput, JournalUnwritable
from homelab_mcp.model.plan import ActionKind, EngineAction, Evidence, Plan, PlanState, PlanStatus
from homelab_mcp.workflow.apply_ends import told
from homelab_mcp.workflow.call_steps import Called, Caller, CallNotSeen, CallUnknown
from homelab_mcp.workflow.plan_facts import masked
from homelab_mcp.workflow.transaction import Progress, Transaction
from homelab_mcp.workflow.undo_record import Before

if TYPE_CHECKING:
    from homelab_mcp.workflow.applier import Applier

NOT_UNDONE = "call_not_undone"


def transaction_of(parts: Applier, plan: Plan, before: Before, progress: Progress | None) -> Transaction:
    """The transaction that fits the plan."""
    kind = CallTransaction if plan.draft.call is not None else Transaction
    return kind(parts, plan, before, progress)


class CallTransaction(Transaction):
    """The apply of a plan with a call. Nothing else of the lab is changed by it."""

    _called: Called | None = None

    def _act(self, action: EngineAction) -> None:
        if action.kind is not ActionKind.CALL:
            super()._act(action)
            return
        try:
            self._called = self._caller().carry_out(self._plan)
        except CallNotSeen as error:
            self._called = error.called
            raise
        self._tried = self._called.evidence

    def _caller(self) -> Caller:
        parts = self._parts
        if parts.engine is None:
            raise InvalidInput("A call of a service's API needs Docker.", code="plan_needs_docker")
        return Caller(parts.service_calls, parts.engine, parts.files, parts.clock)

    def _record(self, evidence: Sequence[Evidence]) -> dict[str, object]:
        kept = self._called.kept if self._called is not None else {}
        return {**super()._record(evidence), **({"answer": kept} if kept else {})}

    def _roll_back(self, error: Exception) -> PlanStatus:
        """Nothing was done unless the service said yes; then what takes it back is sent, once."""
        if isinstance(error, CallUnknown):
            return self._open_ended(error.evidence, error.as_text(), error.code)
        if self._called is None:
            return super()._roll_back(error)
        text, code, seen = told(error, self._secrets)
        back = self._caller().take_back(self._plan, self._called)
        if not all(e.ok for e in back):
            return self._open_ended((*seen, *back), f"{text} It was not taken back.", NOT_UNDONE)
        status = super()._roll_back(error)
        return self._tell(
            PlanStatus(status.state, "", (*status.evidence, *masked(back, self._secrets)), status.commit, text, code)
        )

    def _open_ended(self, evidence: Sequence[Evidence], text: str, code: str) -> PlanStatus:
        """For a person to look at. No plan waits for it: of the lab's own files and containers nothing is half done."""
        seen = masked(evidence, self._secrets)
        record = {**self._record(seen), "error": text, "code": code, "severity": "WARNING"}
        with suppress(JournalUnwritable):
            self._parts.journal.append(CALL_UNKNOWN, record)
        return self._tell(PlanStatus(PlanState.FAILED, "", seen, self._commit, text, code))
