"""Applies an approved plan as one transaction: all of it verified, or everything put back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

from homelab_mcp.core import fingerprint
from homelab_mcp.core.diff import is_secret
from homelab_mcp.core.fingerprint import touched_stacks
from homelab_mcp.core.open_applies import open_applies
from homelab_mcp.core.own_command import approve_command
from homelab_mcp.core.policy import DEFAULT_POLICY, Policy
from homelab_mcp.core.redact import safe
from homelab_mcp.core.stack_host import host_of, refuse_silent
from homelab_mcp.model.errors import HomelabError, JournalUnwritable, LabLocked, PlanRefused
from homelab_mcp.model.plan import Approval, ApprovalKind, Plan, PlanState, PlanStatus
from homelab_mcp.model.policy import POLICY_FILE
from homelab_mcp.ports import (
    Approver,
    Clock,
    Compose,
    Data,
    Engine,
    Files,
    History,
    Journal,
    Lock,
    PlanStore,
    Restic,
    ServiceCalls,
    Snapshots,
    Standby,
    Swarm,
    Trials,
)
from homelab_mcp.workflow.approvals import UNKNOWN, lapsed
from homelab_mcp.workflow.approver_trust import ApproverTrust
from homelab_mcp.workflow.call_transaction import transaction_of
from homelab_mcp.workflow.inventory import Inventory, Refreshed
from homelab_mcp.workflow.judging import Lint, refuse_misfit
from homelab_mcp.workflow.open_applies import refuse_on_failed
from homelab_mcp.workflow.plan_facts import room_for
from homelab_mcp.workflow.stack_engine import StackEngine
from homelab_mcp.workflow.transaction import Progress
from homelab_mcp.workflow.undo import Undo
from homelab_mcp.workflow.verifier import Verifier

_SKEW = 5.0
_AFTER_REFUSAL = {
    "plan_stale": PlanState.EXPIRED,
    "plan_expired": PlanState.EXPIRED,
    "plan_declined": PlanState.DECLINED,
    "plan_not_approved": PlanState.PENDING,
    "approver_replaced": PlanState.PENDING,
    "policy_refused": PlanState.DECLINED,
}


class Applier:
    """Applies plans. ``engine``, ``compose``, ``verifier`` None: only plans without engine actions can be applied.

    ``restic`` tells what makes the backups of the Docker host that a stack is on.
    """

    def __init__(
        self,
        *,
        files: Files,
        history: History,
        journal: Journal,
        plans: PlanStore,
        approver: Approver,
        lock: Lock,
        clock: Clock,
        engine: Engine | None,
        compose: Compose | None,
        verifier: Verifier | None,
        policy: Policy = DEFAULT_POLICY,
        snapshots: Snapshots | None = None,
        data: Data | None = None,
        restic: Callable[[str], Restic] | None = None,
        trials: Trials | None = None,
        swarm: Swarm | None = None,
        standby: Standby | None = None,
        service_calls: ServiceCalls | None = None,
        inventory: Inventory | None = None,
        lint: Callable[[], Lint] | None = None,
    ) -> None:
        self._lint = lint
        self.data = data
        self.restic = restic
        self.trials = trials
        self.swarm = swarm
        self.standby = standby
        self.service_calls = service_calls
        self.snapshots = snapshots
        self.inventory = inventory
        self.files = files
        self.history = history
        self.journal = journal
        self.plans = plans
        self.approver = approver
        self.lock = lock
        self.clock = clock
        self.engine = StackEngine(engine, files) if engine is not None else None
        self.compose = compose
        self.verifier = verifier.through(self.engine) if verifier is not None and self.engine is not None else None
        self.policy = policy
        self.undo = Undo(
            files=files,
            history=history,
            plans=plans,
            clock=clock,
            engine=self.engine,
            compose=compose,
            data=data,
            trials=trials,
            swarm=swarm,
            standby=standby,
        )

    def check(self, plan_id: str) -> Plan:
        """The plan, when it may be applied now.

        Raises NotFound, or PlanRefused: plan_expired, plan_used, plan_not_approved, plan_declined, plan_stale
        (details["changed"] names what differs), plan_needs_docker, approver_replaced.
        """
        plan = self.plans.get(plan_id)
        if self.plans.used(plan_id):
            raise _used()
        self._check_approval(plan, self.plans.approval(plan_id))
        if plan.draft.actions and self.compose is None:
            raise PlanRefused(
                "This plan acts on containers, and Docker is left out (files only).",
                code="plan_needs_docker",
                hint="Apply it without files-only mode, or make a new plan.",
            )
        self._check_fresh(plan)
        return plan

    def run(self, plan_id: str, progress: Progress | None = None) -> PlanStatus:
        """Apply the plan, in the calling process, and return its final status (done, rolled_back or failed).

        Where Docker stays away for longer than a minute it is applying, with error_code ``outcome_unknown``: the next
        recovery looks again and puts the lab right.

        A SIGTERM or SIGINT meanwhile finishes the step at work and rolls back.

        Raises what ``check`` raises, LabLocked and JournalUnwritable before anything is changed; nothing after.
        """
        try:
            with self.lock.hold(f"apply {plan_id}"):
                plan = self.check(plan_id)
                self._refuse_half_done(plan)
                if self._lint is not None:
                    refuse_misfit(plan, self.files, self._lint)
                before = self.undo.remember(plan)
                if self.snapshots is not None and touched_stacks(plan.draft):
                    self.snapshots.take(
                        plan.id,
                        [*(e.path for e in plan.draft.edits if is_secret(e)), *(d.store for d in plan.draft.drops)],
                    )
                self.plans.reserve(room_for(plan))
                try:
                    if not self.plans.consume(plan_id):
                        raise _used()
                    self._begin(plan, before.as_dict())
                    status = transaction_of(self, plan, before, progress).run()
                    if status.state is not PlanState.DONE:
                        self.refresh()
                    return status
                finally:
                    self.plans.release()
        except (HomelabError, OSError) as error:
            self._refused(plan_id, error)
            raise

    def refresh(self) -> Refreshed | None:
        """Bring the lab's page up to date; what was written, None where there is nothing to write."""
        return self.inventory.refresh() if self.inventory is not None else None

    def fingerprint_now(self, plan: Plan) -> dict[str, str]:
        """The plan's fingerprint as it would be if it were made now."""
        paths, services = fingerprint.parts(plan.fingerprint)
        containers = self.engine.containers() if services and self.engine is not None else None
        if self.engine is not None and (silent := self.engine.silent()):
            # What is not seen is not gone: such a plan is not stale, it waits for the host.
            folders = dict(self.files.stack_folders())
            texts = (self.files.read(folders[stack]) for stack, _ in services if stack in folders)
            refuse_silent(silent, {host_of(text or "") for text in texts})
        return fingerprint.build({p: self.files.read(p) for p in paths}, services, containers)

    def _check_approval(self, plan: Plan, approval: Approval | None) -> None:
        if approval is not None and not approval.approved:
            raise PlanRefused("A person declined this plan.", code="plan_declined", hint="Ask what they want instead.")
        now = self.clock.now()
        if lapsed(plan, now):
            raise PlanRefused("This plan's time is over.", code="plan_expired", hint="Ask for a new plan.")
        self._check_policy(plan, now)
        if approval is None and self.policy.demand(plan) == "automatic":
            return
        if approval is None or not self._holds(plan, approval, now):
            raise PlanRefused(
                "No person has approved this plan."
                if approval is None
                else "The approval does not hold for this plan.",
                code="plan_not_approved",
                hint=f"A person runs: {approve_command(self.files.root, plan.id)}",
                details={"accepted": list(self.policy.required(plan))},
            )

    def _check_policy(self, plan: Plan, now: float) -> None:
        if self.policy.demand(plan) == "refuse":
            raise PlanRefused(
                "The lab's policy refuses this plan.",
                code="policy_refused",
                hint=f"A person who wants it changes {POLICY_FILE}.",
            )
        rests = self.policy.rests_until(plan.risk, now)
        if rests is not None:
            raise PlanRefused(
                f"It is quiet hours until {rests:%H:%M}; plans of {plan.risk.word} risk rest.",
                code="quiet_hours",
                hint=f"Apply a fresh plan after that, or change quiet_hours in {POLICY_FILE}.",
            )

    def _holds(self, plan: Plan, approval: Approval, now: float) -> bool:
        if approval.plan_id != plan.id or approval.digest != plan.digest:
            return False
        if not self.policy.accepts_kind(plan, approval.kind):
            return False
        if not plan.created - _SKEW <= approval.when < plan.expires or approval.when > now + _SKEW:
            return False
        if approval.kind is ApprovalKind.OUT_OF_BAND:
            ApproverTrust(self.approver, self.journal).require("apply")
            return self.approver.verify(approval)
        return self._journalled(approval)

    def _journalled(self, approval: Approval) -> bool:
        """Whether the journal knows of this answer: a dialog's yes has no signature, so a file alone is none."""
        wanted = {
            "plan": approval.plan_id,
            "digest": approval.digest,
            "kind": str(approval.kind),
            "who": approval.who,
            "reason": approval.reason,
        }
        return any(e["event"] == "approved" and e["data"] == wanted for e in self.journal.entries(of=("approved",)))

    def _check_fresh(self, plan: Plan) -> None:
        changed = fingerprint.differences(plan.fingerprint, self.fingerprint_now(plan))
        if changed:
            raise PlanRefused(
                f"Since the plan was made: {'; '.join(changed)}.",
                code="plan_stale",
                hint="Ask for the plan again; it will be made from what is there now.",
                details={"changed": changed},
            )

    def _refuse_half_done(self, plan: Plan) -> None:
        """Nothing is built on what an interrupted apply or a failed roll-back left: that is put right first."""
        entries = self.journal.recent()
        if left := open_applies(entries):
            hint = "A person runs `homelab-mcp recover`; then ask for a new plan."
            if self.plans.status(str(left[-1].get("plan", ""))).error_code == UNKNOWN:
                hint = (
                    "Its Docker host did not answer: once it does, a person runs `homelab-mcp recover`. Where it never "
                    f"will, `homelab-mcp recover --as-it-is {left[-1].get('plan', '')}`; then ask for a new plan."
                )
            raise PlanRefused(
                f"An earlier apply was interrupted and is not put right yet: {left[-1].get('summary', '')}",
                code="recovery_needed",
                hint=hint,
            )
        refuse_on_failed(plan.draft, entries, self.plans)

    def _begin(self, plan: Plan, before: dict[str, object]) -> None:
        self.journal.append(
            "apply_begin",
            {
                "plan": plan.id,
                "digest": plan.digest,
                "summary": plan.draft.summary,
                "approved_by": approval.who if (approval := self.plans.approval(plan.id)) else "policy",
                **before,
            },
        )

    def _refused(self, plan_id: str, error: HomelabError | OSError) -> None:
        """Tell in the plan's status why a queued apply did not begin; a status that an apply wrote is left alone."""
        code = error.code if isinstance(error, HomelabError) else "file_error"
        about_itself = isinstance(error, LabLocked) and plan_id in str(error.details.get("what", ""))
        if code in {"not_found", "plan_unknown", "plan_corrupt"} or about_itself:
            return
        status = self.plans.status(plan_id)
        if status.state is not PlanState.QUEUED:
            return
        used = self.plans.used(plan_id)
        if used and not isinstance(error, JournalUnwritable):
            return
        state = PlanState.ROLLED_BACK if used else _AFTER_REFUSAL.get(code, PlanState.APPROVED)
        text = error.as_text() if isinstance(error, HomelabError) else f"{type(error).__name__}: {error.strerror}"
        told = replace(status, state=state, step="", error=safe(text), error_code=code, updated=self.clock.now())
        # On a full disk the error itself is all that can be told.
        with contextlib.suppress(OSError):
            self.plans.set_status(plan_id, told)


def _used() -> PlanRefused:
    return PlanRefused(
        "This plan was applied already; a plan is applied once.", code="plan_used", hint="See get_plan for its end."
    )


__all__ = ["Applier", "Progress"]
