"""Engine actions that leave containers as they are, and those that come once all else has held."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.plan import ActionKind, EngineAction, Evidence
from homelab_mcp.ports import Compose, Engine, Restic


def control(compose: Compose, action: EngineAction) -> None:
    """Restart, start, stop, pause or unpause: containers stay the ones they are."""
    verbs = {
        ActionKind.RESTART: compose.restart,
        ActionKind.START: compose.start,
        ActionKind.STOP: compose.stop,
        ActionKind.PAUSE: compose.pause,
        ActionKind.UNPAUSE: compose.unpause,
    }
    if action.kind in verbs:
        verbs[action.kind](action.stack, action.services)


def load(restic: Callable[[str], Restic] | None, action: EngineAction) -> None:
    """Load a restored dump into its database. Raises InvalidInput (``plan_needs_backup``)."""
    if restic is None:
        raise InvalidInput("Loading a dump needs the lab's backup.", code="plan_needs_backup")
    restic(action.stack).load(f"{action.stack}/{action.services[0]}", action.name)


def clear_away(engine: Engine | None, actions: Iterable[EngineAction]) -> list[Evidence]:
    """Orphans and networks that nothing needs; what cannot be removed hurts nobody."""
    seen: list[Evidence] = []
    for action in actions:
        if engine is None or action.kind not in (ActionKind.REMOVE_ORPHANS, ActionKind.REMOVE_NETWORK):
            continue
        try:
            if action.kind is ActionKind.REMOVE_NETWORK:
                engine.remove_network(action.name)
                seen.append(Evidence(f"network {action.name} removed", ok=True))
                continue
            gone = engine.remove_orphans(action.stack, action.services)
            seen.append(Evidence(f"{', '.join(gone) or 'no container'} removed", ok=True))
        except HomelabError as error:
            names = action.name or ", ".join(action.services)
            seen.append(Evidence(f"{names} could not be removed", ok=False, detail=error.message))
    return seen
