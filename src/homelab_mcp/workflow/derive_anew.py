"""Which containers a plan makes anew for files that they get only then, and what it says of the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from homelab_mcp.core.derived import DerivedFile
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import ContainerState, Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction
from homelab_mcp.ports import Lab

UP = frozenset({"running", "restarting"})
_MADE = (ActionKind.UP, ActionKind.RECREATE, ActionKind.REMOVE)
_HALTED = (ActionKind.STOP, ActionKind.PAUSE)


def made_anew(
    lab: Lab, draft: Draft, files: Sequence[DerivedFile], changed: Collection[str], snapshot: Snapshot
) -> tuple[list[EngineAction], dict[str, str]]:
    """What makes containers anew, also one that missed it before; and a sentence for each file's path.

    Args:
        lab: the lab.
        draft: as it would be without.
        files: all that are derived.
        changed: the paths of those whose text changes.
        snapshot: the lab as it is. Where its containers are not known, a draft that acts on none needs no Docker.
    """
    files = [f for f in files if f.recreate]
    if not files:
        return [], {}
    homes = {s.name: host_of(s.compose_text) for s in snapshot.stacks}
    moved = {lab.placed_data.host(p) for m in draft.moves for p in (m.source, m.target)} - {LOCAL}
    containers = {(c.stack, c.service): c for c in snapshot.containers or ()}
    actions: list[EngineAction] = []
    notes: dict[str, str] = {}
    for file in files:
        for stack, service in file.recreate:
            host, one = homes.get(stack, LOCAL), containers.get((stack, service))
            missed = file.path not in changed
            if _acted(draft, stack, service, _MADE):
                later = ""
            elif later := _later(draft, snapshot, stack, service, host, one, moves=host in moved):
                pass
            elif missed and (one is None or one.labels.get(file.label[0]) == file.label[1]):
                continue
            else:
                why = f"{service} gets its files when its container is made."
                actions.append(EngineAction(ActionKind.UP, why, stack, (service,)))
                if missed:
                    notes[file.path] = f"{service} is made anew: it missed files that an earlier plan wrote for it."
            if not missed:
                follows = file.why.removesuffix(".")
                notes[file.path] = f"{follows}; {later or 'its container is made anew for that'}."
    return actions, notes


def _acted(draft: Draft, stack: str, service: str, kinds: Collection[ActionKind]) -> bool:
    """Whether the draft does one of these with it; an action without services is about the whole stack."""
    return any(
        a.kind in kinds and a.stack == stack and (not a.services or service in a.services) for a in draft.actions
    )


def _later(
    draft: Draft, snapshot: Snapshot, stack: str, service: str, host: str, one: ContainerState | None, *, moves: bool
) -> str:
    """Why its container is not made anew by this draft; "" where it is."""
    if snapshot.containers is None:
        return "" if draft.actions else "a plan that sees Docker makes its container anew"
    if host in snapshot.silent:
        return f"{host} does not answer, so a later plan makes its container anew"
    if moves:
        return f"this plan moves data of {host} by its container, so a later one makes that anew"
    if one is None or one.state not in UP or _acted(draft, stack, service, _HALTED):
        return "its container does not run, and is made anew by the first plan that finds it running"
    return ""
