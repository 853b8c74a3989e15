"""Start an apply and follow it by its status on disk, from whichever process."""

from __future__ import annotations

from collections.abc import Callable

from homelab_mcp.model.plan import FINAL_STATES, PlanState, PlanStatus
from homelab_mcp.ports import Lab

RUNNING = frozenset({PlanState.QUEUED, PlanState.APPLYING})
POLL_SECONDS = 0.15


def start(lab: Lab, plan_id: str) -> PlanStatus:
    """Start the apply of an approved plan, unless it runs or ended already; where it stands now.

    Raises:
        NotFound: no such plan.
        PlanRefused: it may not be applied; ``code`` says why.
    """
    from homelab_mcp.workflow.assembly import applier

    status = lab.plans.status(plan_id)
    if status.state in RUNNING or status.state in {PlanState.DONE, PlanState.ROLLED_BACK, PlanState.FAILED}:
        return status
    applier(lab).check(plan_id)
    queued = PlanStatus(state=PlanState.QUEUED, step="starting", updated=lab.clock.now())
    lab.plans.set_status(plan_id, queued)
    lab.worker.start(plan_id)
    return queued


def follow(
    lab: Lab,
    plan_id: str,
    *,
    on_change: Callable[[PlanStatus], None] | None = None,
    seconds: float | None = None,
) -> PlanStatus:
    """Wait until the plan's apply ends, or ``seconds`` have passed; its status then."""
    clock = lab.clock
    begun = clock.monotonic()
    last: PlanStatus | None = None
    while True:
        status = lab.plans.status(plan_id)
        if status != last and on_change is not None:
            on_change(status)
        last = status
        if status.state in FINAL_STATES or status.state not in RUNNING:
            return status
        if seconds is not None and clock.monotonic() - begun >= seconds:
            return status
        clock.sleep(POLL_SECONDS)
