"""Start an apply and follow it by its status on disk, from whichever process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from homelab_mcp.model.errors import LabLocked
from homelab_mcp.model.plan import FINAL_STATES, PlanState, PlanStatus
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.approvals import RUNNING, abandoned, left_open

__all__ = ["RUNNING", "follow", "start"]

POLL_SECONDS = 0.15
REPLACED_SECONDS = 5.0
"""How long a new process is given to take the lock before it counts as gone too."""

_APPLIED = frozenset({PlanState.DONE, PlanState.ROLLED_BACK, PlanState.FAILED})


def start(lab: Lab, plan_id: str) -> PlanStatus:
    """Start the apply of an approved plan, unless it runs or ended already; where it stands now.

    Where the process that applied it died, a new one is started, which puts the lab right first. While another apply
    holds the lab none is started: the plan stays approved, and its status says who holds it.

    Raises:
        NotFound: no such plan.
        PlanRefused: it may not be applied; ``code`` says why.
        StorageFailed: its status cannot be written.
    """
    from homelab_mcp.workflow.assembly import applier

    status = lab.plans.status(plan_id)
    if status.state in _APPLIED:
        return status
    if status.state in RUNNING:
        if abandoned(lab.plans, lab.lock, lab.clock, plan_id):
            lab.worker.start(plan_id)
        return lab.plans.status(plan_id)
    applier(lab).check(plan_id)
    with lab.plans.exclusive(plan_id):
        now = lab.plans.status(plan_id)
        if now.state in RUNNING | _APPLIED:
            return now
        if lab.plans.used(plan_id):
            return now
        try:
            lab.lock.refuse_busy()
        except LabLocked as error:
            # What a new process would only find out too. One that starts at the same moment still tells it that way.
            busy = PlanStatus(PlanState.APPROVED, "", (), "", error.as_text(), error.code, lab.clock.now())
            lab.plans.set_status(plan_id, busy)
            return busy
        queued = PlanStatus(state=PlanState.QUEUED, step="starting", updated=lab.clock.now())
        lab.plans.set_status(plan_id, queued)
    try:
        lab.worker.start(plan_id)
    except OSError:
        lab.plans.set_status(plan_id, replace(now, updated=lab.clock.now()))
        raise
    return queued


def follow(
    lab: Lab,
    plan_id: str,
    *,
    on_change: Callable[[PlanStatus], None] | None = None,
    seconds: float | None = None,
) -> PlanStatus:
    """Wait until the plan's apply ends, or ``seconds`` have passed; its status then.

    A process that dies meanwhile is replaced once, by one that puts the lab right.
    """
    clock = lab.clock
    begun = clock.monotonic()
    last: PlanStatus | None = None
    replaced = False
    while True:
        status = lab.plans.status(plan_id)
        if status != last and on_change is not None:
            on_change(status)
        last = status
        if status.state in FINAL_STATES or status.state not in RUNNING:
            return status
        if seconds is not None and clock.monotonic() - begun >= seconds:
            return status
        if abandoned(lab.plans, lab.lock, lab.clock, plan_id):
            if replaced:
                return left_open(status)
            replaced = True
            lab.worker.start(plan_id)
            clock.sleep(REPLACED_SECONDS)
        clock.sleep(POLL_SECONDS)
