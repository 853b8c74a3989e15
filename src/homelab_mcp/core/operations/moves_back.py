"""Which of an apply's moves of data can be taken back, and which cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homelab_mcp.model.plan import DataMove

Pair = tuple[str, str]


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
