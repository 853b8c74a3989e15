"""A server that runs looks again at what was left open: a Docker that was too busy, an apply that died since."""

from __future__ import annotations

import logging
from collections.abc import Callable

from homelab_mcp.core.redact import safe
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, LabLocked, VaultLocked
from homelab_mcp.model.plan import PlanState
from homelab_mcp.ports import Engine
from homelab_mcp.workflow.recovery import Recovery, RecoveryReport

SECONDS = 120.0
"""Between two looks. One reads the journal's last file, and takes the lab's lock only where something is open."""

logger = logging.getLogger("homelab_mcp")


def keep_right(recovery: Callable[[], Recovery], engine: Engine, sleep: Callable[[float], None]) -> None:
    """Put right what is open, now and again, and log what came of it; does not return.

    Args:
        recovery: makes what puts the lab right.
        engine: is asked first: while it is silent nobody has to wait for the lock.
        sleep: waits so many seconds; what it raises ends this.
    """
    told: set[str] = set()
    while True:
        sleep(SECONDS)
        try:
            reports = look_again(recovery(), engine)
        except (LabLocked, VaultLocked, EngineUnavailable, EngineFailed):
            # An apply is at work, or what is missing is still missing: said when it was found, and by `doctor`.
            continue
        except Exception:
            logger.exception("what an apply left open could not be looked at; run `homelab-mcp recover`")
            continue
        for report in reports:
            _tell(report, told)


def look_again(machine: Recovery, engine: Engine) -> list[RecoveryReport]:
    """What became of each open apply; none where none is open. Raises what the engine and the recovery raise."""
    if not machine.needed():
        return []
    engine.networks()
    return machine.recover()


def _tell(report: RecoveryReport, told: set[str]) -> None:
    """Log it: one that stays open once."""
    what = safe(report.summary)
    if report.outcome is not PlanState.APPLYING:
        told.discard(report.plan_id)
        logger.warning("the interrupted apply %s is %s now: %s", report.plan_id, report.outcome, what)
    elif report.plan_id not in told:
        told.add(report.plan_id)
        why = next((safe(e.what) for e in report.evidence if not e.ok), "")
        logger.warning("the interrupted apply %s (%s) is still open: %s", report.plan_id, what, why)
