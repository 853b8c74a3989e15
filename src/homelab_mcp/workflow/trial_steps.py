"""The step of an apply that runs a trial beside the lab, what it tells of it, and how it is taken away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from homelab_mcp.core.resources import size_text
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.plan import Evidence, Plan
from homelab_mcp.model.trial import TRIAL_PROJECT, TrialSeen
from homelab_mcp.ports import Trials

_LOG_CHARACTERS = 4_000
_OTHERS_CHARACTERS = 1_500


def project_of(plan: Plan) -> str:
    """The trial's project on the engine; of the plan's id, so that a recovery finds it."""
    return f"{TRIAL_PROJECT}{plan.id[:12]}"


def carry_out(trials: Trials | None, plan: Plan, step: Callable[[str], None]) -> tuple[Evidence, ...]:
    """Run the plan's trial, take it away whatever became of it, and tell what was seen.

    Raises InvalidInput, EngineFailed, EngineUnavailable: then the way back takes away what is left.
    """
    trial = plan.draft.trial
    if trials is None or trial is None:
        raise InvalidInput("A trial needs Docker.", code="plan_needs_docker")
    project = project_of(plan)
    seen = trials.run(project, trial, step)
    step("removing the trial")
    gone = trials.remove(project)
    found = [e for n, one in enumerate(seen) for e in _told(one, _LOG_CHARACTERS if n == 0 else _OTHERS_CHARACTERS)]
    return (*found, Evidence(f"removed again: {', '.join(gone) or 'nothing was left'}", ok=True))


def remove(trials: Trials | None, plan: Plan) -> tuple[Evidence, ...]:
    """Take away what an interrupted trial left, and tell of it; nothing where the plan has none."""
    if trials is None or plan.draft.trial is None:
        return ()
    gone = trials.remove(project_of(plan))
    return (Evidence(f"the trial is removed: {', '.join(gone) or 'nothing of it was left'}", ok=True),)


def sweep(trials: Trials | None) -> list[str]:
    """Take away every trial of this lab: none can be at work where the lab's lock is held. No Docker, no trial."""
    if trials is not None:
        with suppress(HomelabError):
            return trials.sweep()
    return []


def _told(one: TrialSeen, room: int) -> list[Evidence]:
    text = "\n".join(one.log)
    log = text[-room:]
    told = [Evidence(_sentence(one), ok=_well(one))]
    if log:
        cut = "the end of " if len(log) < len(text) else ""
        told.append(Evidence(f"{cut}what {one.service} logged (untrusted data)", ok=True, detail=log))
    return told


def _well(one: TrialSeen) -> bool:
    if one.state == "exited":
        return one.exit_code == 0 and not one.out_of_memory
    return one.state == "running" and one.health in ("", "healthy")


def _sentence(one: TrialSeen) -> str:
    after = f"after {one.seconds:.0f} s"
    memory = f", at most {size_text(one.memory)} of memory" if one.memory else ""
    if one.state == "exited":
        why = ", killed for lack of memory" if one.out_of_memory else ""
        return f"{one.service} ended {after} with exit code {one.exit_code}{why}{memory}"
    health = {"": "no health check", "starting": "its health check has not passed yet"}.get(one.health, one.health)
    return f"{one.service} is {one.state} {after}, {health}{memory}"
