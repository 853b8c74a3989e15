"""Engine actions on a standby core, and their way back."""

from __future__ import annotations

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import ActionKind, EngineAction, Evidence, Plan
from homelab_mcp.ports import Standby

STANDBY = (ActionKind.STANDBY_SYNC, ActionKind.STANDBY_START, ActionKind.STANDBY_STOP)
_SHOWN = 8


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
    return (Evidence(f"the standby on {host} is stopped", ok=True),)


def put_back(standby: Standby | None, plan: Plan) -> list[Evidence]:
    """A standby that was started stops, one that was stopped starts; what a sync brought stays, and starts nothing."""
    seen: list[Evidence] = []
    for action in (a for a in plan.draft.actions if a.kind in STANDBY and standby is not None):
        assert standby is not None  # noqa: S101 - said above, and not understood
        if action.kind is ActionKind.STANDBY_START:
            standby.stop(action.name, action.services)
            seen.append(Evidence(f"the standby on {action.name} is stopped", ok=True))
        elif action.kind is ActionKind.STANDBY_STOP:
            standby.start(action.name, action.services)
            seen.append(Evidence(f"the standby on {action.name} runs as before", ok=True))
        else:
            stacks = ", ".join(action.services)
            told = f"no standby runs on {action.name}; what was sent by then is in its folder of {stacks}"
            seen.append(Evidence(told, ok=True))
    return seen
