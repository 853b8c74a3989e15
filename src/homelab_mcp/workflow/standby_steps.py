"""Engine actions on a standby core, and their way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.plan import ActionKind, EngineAction, Evidence, Plan
from homelab_mcp.ports import Standby

STANDBY = (ActionKind.STANDBY_SYNC, ActionKind.STANDBY_START, ActionKind.STANDBY_STOP)
_SHOWN = 8
_STOPPED = "the standby on {} is stopped"


def carry_out(standby: Standby | None, action: EngineAction) -> tuple[Evidence, ...]:
    """Do it; what was seen. Raises what the port raises, InvalidInput without Docker."""
    if standby is None:
        raise InvalidInput("A standby needs Docker.", code="plan_needs_docker")
    host, stacks = action.name, action.services
    if action.kind is ActionKind.STANDBY_SYNC:
        done = standby.sync(host, stacks)
        told = f"{done.files} files ({done.size} bytes) are on {host} as they are here, read back there"
        seen = [Evidence(told, ok=True), Evidence(f"{done.containers} containers stand ready on {host}", ok=True)]
        for what, paths in (("emptied there", done.emptied), ("not brought along", done.left_out)):
            if paths:
                more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
                seen.append(Evidence(f"{what}: {', '.join(paths[:_SHOWN])}{more}", ok=True))
        return tuple(seen)
    if action.kind is ActionKind.STANDBY_START:
        names = standby.start(host, stacks)
        return (Evidence(f"on {host} run, and are healthy where they are checked: {', '.join(names)}", ok=True),)
    standby.stop(host, stacks)
    return (Evidence(_STOPPED.format(host), ok=True),)


def remember(standby: Standby | None, plan: Plan) -> dict[str, list[str]]:
    """Host -> ``stack/service`` of what is active there before the plan. Raises what the port raises."""
    mine = [a for a in plan.draft.actions if a.kind in STANDBY]
    return {a.name: list(standby.active(a.name, a.services)) for a in mine} if standby is not None else {}


def put_back(standby: Standby | None, plan: Plan, before: Mapping[str, Sequence[str]]) -> list[Evidence]:
    """What was started stops, what was stopped starts; what a sync brought stays, and starts nothing.

    Args:
        standby: the port; None without Docker.
        plan: whose actions are taken back.
        before: as ``remember`` found it: what was active then stays so, as the plan did not start it.
    """
    if standby is None:
        return []
    return [_back(standby, a, before) for a in plan.draft.actions if a.kind in STANDBY]


def _back(standby: Standby, action: EngineAction, before: Mapping[str, Sequence[str]]) -> Evidence:
    host, stacks = action.name, action.services
    ran = before.get(host)
    if ran is None:
        return Evidence(f"the standby on {host} is left as it is: nobody knows what ran there before", ok=False)
    told = f"what ran on {host} before runs on: {', '.join(ran)}"
    if action.kind is ActionKind.STANDBY_START:
        try:
            standby.stop(host, stacks, keep=ran)
        except NotFound:
            return Evidence(f"nothing was started on {host}: there is no standby", ok=True)
        return Evidence(f"what was started on {host} is stopped; {told}" if ran else _STOPPED.format(host), ok=True)
    if action.kind is ActionKind.STANDBY_STOP:
        if ran:
            standby.start(host, stacks, only=ran)
        return Evidence(f"the standby on {host} runs as before", ok=True)
    if ran:
        return Evidence(f"nothing was brought to {host}; {told}", ok=True)
    sent = f"what was sent by then is in its folder of {', '.join(stacks)}"
    return Evidence(f"nothing was started on {host}; {sent}", ok=True)
