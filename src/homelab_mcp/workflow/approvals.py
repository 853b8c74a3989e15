"""A person's answer to a plan, taken where the policy allows it."""

from __future__ import annotations

from dataclasses import replace

from homelab_mcp.core.own_command import approve_command
from homelab_mcp.core.policy import DEFAULT_POLICY, Policy
from homelab_mcp.model.errors import InvalidInput, PlanRefused
from homelab_mcp.model.plan import Approval, ApprovalKind, Plan, PlanState, PlanStatus
from homelab_mcp.model.policy import POLICY_FILE
from homelab_mcp.ports import Approver, Clock, Journal, Lock, PlanStore, Signer
from homelab_mcp.workflow.approver_trust import ApproverTrust

RUNNING = frozenset({PlanState.QUEUED, PlanState.APPLYING})

UNKNOWN = "outcome_unknown"
"""The error code of an apply that Docker left in the middle, and that is to be put right once it is back."""

STARTING = 30.0
"""Seconds that a queued plan is given to begin before it counts as abandoned."""

_OPEN = frozenset({PlanState.PENDING, PlanState.APPROVED})
_SKEW = 5.0
"""Seconds that a clock may have been set back since the plan was made; more, and the plan counts as expired."""


def lapsed(plan: Plan, now: float) -> bool:
    """Whether the plan's time is over; a clock set back does not lengthen it."""
    return not plan.created - _SKEW <= now < plan.expires


def abandoned(plans: PlanStore, lock: Lock, clock: Clock, plan_id: str) -> bool:
    """Whether the process that was to apply this plan is gone: at work by its status, and nobody holds the lock."""
    if plans.status(plan_id).state not in RUNNING or lock.holder():
        return False
    # Read again: it may have ended between the two looks.
    status = plans.status(plan_id)
    if status.state is PlanState.APPLYING or (status.state is PlanState.QUEUED and plans.used(plan_id)):
        return not lock.holder()
    return status.state is PlanState.QUEUED and abs(clock.now() - status.updated) >= STARTING


def left_open(status: PlanStatus) -> PlanStatus:
    """The status of an apply whose process is gone, which says so or why."""
    if status.error_code == UNKNOWN:
        return status
    return replace(status, error="The process that applied it is gone.", error_code="interrupted")


class Approvals:
    """Records answers; whether they let a plan through is judged again by the applier.

    With ``lock``, ``state`` also tells of an apply whose process died; ``root`` is the lab's folder, for hints.
    """

    def __init__(
        self,
        *,
        plans: PlanStore,
        journal: Journal,
        approver: Approver,
        clock: Clock,
        lock: Lock | None = None,
        policy: Policy = DEFAULT_POLICY,
        root: str = "",
    ) -> None:
        self._root = root
        self._lock = lock
        self._plans = plans
        self._journal = journal
        self._approver = approver
        self._trust = ApproverTrust(approver, journal)
        self._clock = clock
        self._policy = policy

    def asks_nobody(self, plan: Plan) -> bool:
        """Whether the policy lets this plan be applied without an answer."""
        return self._policy.demand(plan) == "automatic"

    def accepted(self, plan: Plan) -> tuple[str, ...]:
        """The kinds of approval that count for this plan; none where the policy refuses it."""
        return self._policy.required(plan)

    def dialog_allowed(self, plan: Plan) -> bool:
        """Whether a client dialog may approve this plan."""
        return self._policy.accepts_kind(plan, ApprovalKind.CLIENT_DIALOG)

    def dialog(self, plan: Plan, typed_name: str, client: str) -> Approval:
        """Record a yes from a client's dialog. ``typed_name`` must be the draft's target, white space around it aside.

        Raises PlanRefused: plan_not_approved (risk needs out_of_band, or the name differs), plan_declined,
        plan_expired, plan_used. NotFound for a plan that is not stored.
        """
        stored = self._answerable(plan.id)
        if not self.dialog_allowed(stored):
            raise self._not_approved(
                stored, f"A {stored.risk.word}-risk plan is not approved by a dialog.", "dialog_not_enough"
            )
        if not stored.draft.target or typed_name.strip() != stored.draft.target:
            raise self._not_approved(stored, "The name typed is not the plan's target.", "wrong_name")
        approval = Approval(
            plan_id=stored.id,
            digest=stored.digest,
            kind=ApprovalKind.CLIENT_DIALOG,
            approved=True,
            who=f"client {client}"[:200],
            when=self._clock.now(),
        )
        self._record(approval)
        return approval

    def dialog_declined(self, plan: Plan, client: str) -> None:
        """Journal a no from a client's dialog. It may come from no human, so the plan stays open to a person."""
        self._journal.append("dialog_declined", {"plan": plan.id, "who": f"client {client}"[:200]})

    def out_of_band(self, plan_id: str, pin: str, *, who: str, approved: bool, reason: str = "") -> Approval:
        """Record a signed answer. A no is final.

        Raises InvalidInput (wrong_pin, pin_locked), NotFound, PlanRefused (also approver_replaced).
        """
        plan = self._open_to_answer(plan_id, approved)
        signer = self._trust.unlock(pin, who[:200])
        approval = signer.sign(plan, approved=approved, who=who[:200], reason=reason[:1000])
        self._record(approval)
        return approval

    def signed(self, plan_id: str, signer: Signer, *, who: str, approved: bool, reason: str = "") -> Approval:
        """Record an answer signed with a key that a session holds. A no is final.

        Raises NotFound, PlanRefused, and InvalidInput (approver_changed) where the key is the approver's no more.
        """
        plan = self._open_to_answer(plan_id, approved)
        approval = signer.sign(plan, approved=approved, who=who[:200], reason=reason[:1000])
        if not self._approver.verify(approval):
            raise InvalidInput(
                "The approver's key was replaced since you logged in.",
                code="approver_changed",
                hint="Log in again with the PIN of the new key.",
            )
        self._trust.require()
        self._record(approval)
        return approval

    def state(self, plan_id: str) -> PlanStatus:
        """The plan's status as it stands now.

        ``expired`` is told where a pending or approved plan ran out of time, and ``error_code`` is ``interrupted``
        where the process that applied it died and nothing was put right yet.
        """
        status = self._plans.status(plan_id)
        plan = self._plans.outline(plan_id)
        if status.state in _OPEN and lapsed(plan, self._clock.now()):
            return replace(status, state=PlanState.EXPIRED)
        if self._lock is not None and abandoned(self._plans, self._lock, self._clock, plan_id):
            return left_open(self._plans.status(plan_id))
        return status

    def _open_to_answer(self, plan_id: str, approved: bool) -> Plan:
        plan = self._answerable(plan_id)
        if approved and not self._policy.required(plan):
            raise PlanRefused(
                "The lab's policy refuses this plan, whoever approves it.",
                code="policy_refused",
                hint=f"A person who wants it changes {POLICY_FILE}.",
            )
        return plan

    def _answerable(self, plan_id: str) -> Plan:
        plan = self._plans.get(plan_id)
        if self._plans.used(plan_id):
            raise PlanRefused("This plan was applied already.", code="plan_used", hint="Ask for a new plan.")
        given = self._plans.approval(plan_id)
        if given is not None and not given.approved:
            raise PlanRefused("A person declined this plan.", code="plan_declined", hint="Ask what they want instead.")
        if lapsed(plan, self._clock.now()):
            raise PlanRefused("This plan's time is over.", code="plan_expired", hint="Ask for a new plan.")
        return plan

    def _record(self, approval: Approval) -> None:
        with self._plans.exclusive(approval.plan_id):
            # Looked at again: another answer, or the apply itself, may have come since.
            self._answerable(approval.plan_id)
            # Journal first: an answer that cannot be recorded does not count.
            self._journal.append(
                "approved" if approval.approved else "declined",
                {
                    "plan": approval.plan_id,
                    "digest": approval.digest,
                    "kind": str(approval.kind),
                    "who": approval.who,
                    "reason": approval.reason,
                },
            )
            self._plans.set_approval(approval)
            if self._plans.status(approval.plan_id).state not in RUNNING:
                state = PlanState.APPROVED if approval.approved else PlanState.DECLINED
                self._plans.set_status(approval.plan_id, PlanStatus(state, updated=self._clock.now()))

    def _not_approved(self, plan: Plan, why: str, cause: str) -> PlanRefused:
        self._journal.append("approval_refused", {"plan": plan.id, "cause": cause})
        return PlanRefused(
            why,
            code="plan_not_approved",
            hint=f"A person runs: {approve_command(self._root, plan.id)}",
            details={"cause": cause, "accepted": list(self._policy.required(plan))},
        )
