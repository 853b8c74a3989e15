"""Which of an apply's moves of data can be taken back, and which cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from homelab_mcp.core.drift import in_scope
from homelab_mcp.model.lab import TRASH, TRASH_DAYS
from homelab_mcp.model.plan import DataMove, Plan

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class MovesBack:
    """The moves, a sentence for each that cannot be, and what is to be said of those that can."""

    moves: tuple[DataMove, ...]
    stuck: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def moves_back(plans: Sequence[Plan], exists: Callable[[str], bool], *, trash: str = "", stack: str = "") -> MovesBack:
    """The way back of the data that these applies moved.

    What a restore brought, or an earlier roll-back took out of the trash, does not return to where it came from: the
    place that backups are restored to is emptied by the day, and a folder of the trash by its own. It was in use since,
    so it is kept as long as all else in the trash.

    Args:
        plans: what is taken back, oldest first.
        exists: whether a path of the lab is there.
        trash: a new folder of the trash; "" leaves such data where it was before.
        stack: only what is, or was, in this stack's folder; "" all.
    """
    brought = {
        move.source
        for plan in plans
        for move in plan.draft.moves
        if plan.draft.operation == "restore_backup" and not _in_trash(move.target)
    }

    def aside(there: str) -> bool:
        return bool(trash) and (there in brought or _in_trash(there))

    pairs = [(h, t) for h, t in _net(plans) if in_scope(h if aside(t) else t, stack)]
    # What is in the trash by now, or nowhere, stays so.
    pairs = [(h, t) for h, t in pairs if not aside(t) or (exists(h) and not _in_trash(h))]
    moves, stuck = moved_back([(h, f"{trash}/{h}" if aside(t) else t) for h, t in pairs], exists)
    kept = [m.source for m in moves if trash and m.target.startswith(f"{trash}/")]
    told = (f"What is in {', '.join(kept)} now is kept in {trash} for {TRASH_DAYS} days.",) if kept else ()
    return MovesBack(moves, tuple(stuck), told)


def moved_back(pairs: Sequence[Pair], exists: Callable[[str], bool]) -> tuple[tuple[DataMove, ...], list[str]]:
    """Moves of data to where it was, each (from, to); a sentence for each that cannot be.

    Where nothing can come back into a place, what is there now stays as well: a service would begin anew in an empty
    folder, and its data would be put aside for nothing.
    """
    left, stuck = list(pairs), []
    while found := _first_stuck(left, exists):
        (here, there), why = found
        left.remove((here, there))
        stuck.append(why)
        if out := next((pair for pair in left if pair[0] == there), None):
            left.remove(out)
            stuck.append(f"What is in {there} now stays there, as nothing would come in its place.")
    return tuple(DataMove(here, there, "Moves the data back.") for here, there in left), stuck


def _first_stuck(pairs: Sequence[Pair], exists: Callable[[str], bool]) -> tuple[Pair, str] | None:
    freed: set[str] = set()
    for here, there in pairs:
        if not exists(here):
            return (here, there), f"The data that was in {there} is no longer at {here}, so it does not come back."
        if exists(there) and there not in freed:
            why = f"The data that was in {there} stays at {here}: something else is in its place by now."
            return (here, there), why
        freed.add(here)
    return None


def _net(plans: Iterable[Plan]) -> Iterator[Pair]:
    """(where data is, where it was) after all moves of these applies, the last moved first."""
    origins: dict[str, str] = {}
    for plan in plans:
        for move in plan.draft.moves:
            origins[move.target] = origins.pop(move.source, move.source)
    yield from ((here, was) for here, was in reversed(origins.items()) if here != was)


def _in_trash(path: str) -> bool:
    return path.startswith(f"{TRASH}/")
