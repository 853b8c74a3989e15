"""The containers that move data on other hosts: a plan that takes one away must do so after its moves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from homelab_mcp.core.backup_jobs import engines_of
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, EngineAction, Plan
from homelab_mcp.ports import Files
from homelab_mcp.queries.find import read_stacks

Pair = tuple[str, str]


def carriers(files: Files, plan: Plan) -> frozenset[Pair]:
    """(stack, service) of what makes backups on other hosts, by the lab's files now; none for a plan without moves."""
    if not plan.draft.moves:
        return frozenset()
    engines = engines_of(view(Snapshot(read_stacks(files), None)))
    return frozenset((e.stack, e.name) for host, e in engines.items() if host != LOCAL)


def without(actions: Sequence[EngineAction], kept: Collection[Pair]) -> list[EngineAction]:
    """The actions, but for removals of these."""
    return _removing(actions, kept, of_kept=False)


def removals_of(actions: Sequence[EngineAction], kept: Collection[Pair]) -> list[EngineAction]:
    """The removals of these alone."""
    return [a for a in _removing(actions, kept, of_kept=True) if a.kind is ActionKind.REMOVE]


def _removing(actions: Sequence[EngineAction], kept: Collection[Pair], *, of_kept: bool) -> list[EngineAction]:
    found = []
    for action in actions:
        if action.kind is not ActionKind.REMOVE:
            found.append(action)
        elif not action.services:
            # The whole stack, and so what it has of these too.
            if any(stack == action.stack for stack, _ in kept) == of_kept:
                found.append(action)
        elif services := tuple(s for s in action.services if ((action.stack, s) in kept) == of_kept):
            found.append(replace(action, services=services))
    return found
