"""Which of an apply's moves of data can be taken back, and which cannot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from homelab_mcp.core.drift import in_scope
from homelab_mcp.core.operations.moves_played import Pair, Played, around, play
from homelab_mcp.core.trash import on_host
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL, TRASH, TRASH_DAYS
from homelab_mcp.model.plan import DataMove, Plan, Risk, RiskReason


@dataclass(frozen=True, slots=True)
class MovesBack:
    """The moves, a sentence for each that cannot be, and what is to be said of those that can."""

    moves: tuple[DataMove, ...]
    stuck: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    risks: tuple[RiskReason, ...] = ()


def moves_back(
    plans: Sequence[Plan],
    exists: Callable[[str], bool],
    *,
    trash: str = "",
    stack: str = "",
    later: Sequence[Plan] = (),
    host_of: Callable[[str], str] = lambda path: LOCAL,
) -> MovesBack:
    """The way back of the data that these applies moved.

    What a restore brought, or an earlier roll-back took out of the trash, does not return to where it came from: the
    place that backups are restored to is emptied by the day, and a folder of the trash by its own. It was in use since,
    so it is kept as long as all else in the trash.

    Args:
        plans: what is taken back, oldest first.
        exists: whether a path of the lab is there.
        trash: a new folder of the trash; "" leaves such data where it was before.
        stack: only what is, or was, in this stack's folder; "" all.
        later: what was applied after them and is not taken back, oldest first.
        host_of: the host that a path's data is on; the trash of each is its own.

    Raises InvalidInput (``data_in_the_way``) where a service's files would go back and its data could not.
    """
    brought = {
        move.source
        for plan in plans
        for move in plan.draft.moves
        if plan.draft.operation == "restore_backup" and not _in_trash(move.target)
    }
    net = list(_net(plans))
    moved_on = _moved_on(net, later)
    # What a later roll-back took home already is not to be told of.
    home = {p for h, t in net for p in (h, t) if h in moved_on and moved_on[h][1] == t}
    stuck = [
        f"Nothing goes back from or to {place}: '{by}' moved on what was put there. Roll that back first."
        for place, (by, _) in moved_on.items()
        if place not in home
    ]
    left = {t for h, t in net if h in moved_on or t in moved_on}

    def out(there: str) -> bool:
        return there in brought or _in_trash(there)

    def aside(there: str) -> bool:
        return bool(trash) and out(there)

    if any(exists(moved_on[h][1]) and not (_in_trash(h) or out(t)) for h, t in net if h in moved_on.keys() - home):
        raise _parted(stuck)
    pairs = [(h, t) for h, t in net if t not in left and in_scope(h if aside(t) else t, stack)]
    # What is in the trash by now, or nowhere, stays so.
    pairs = [(h, t) for h, t in pairs if not aside(t) or (exists(h) and not _in_trash(h))]
    outs = {h for h, t in pairs if out(t)}

    def bin_of(path: str) -> str:
        return on_host(trash, host_of(path))

    pairs = [(h, f"{bin_of(h)}/{h}" if aside(t) else t) for h, t in pairs]
    pairs = _without_outs(pairs, outs, left, stuck)
    moves, told, parted = _moved_back(pairs, exists, outs, plans)
    if parted:
        raise _parted(parted)
    away = [m.source for m in moves if m.source in outs]
    kept: dict[str, list[str]] = {}
    for move in moves:
        if trash and move.target == f"{bin_of(move.source)}/{move.source}":
            kept.setdefault(bin_of(move.source), []).append(move.source)
    notes = tuple(f"What is in {', '.join(p)} now is kept in {b} for {TRASH_DAYS} days." for b, p in kept.items())
    risks = tuple(RiskReason(Risk.HIGH, f"What was written in {p} since is put aside.") for p in away)
    return MovesBack(moves, (*stuck, *told), notes, risks)


def moved_back(
    pairs: Sequence[Pair], exists: Callable[[str], bool], outs: Collection[str] = ()
) -> tuple[tuple[DataMove, ...], list[str]]:
    """Moves of data to where it was, each (from, to); a sentence for each that cannot be.

    Where nothing can come back into a place, what is there now stays as well: a service would begin anew in an empty
    folder, and its data would be put aside for nothing. That holds for what is ``outs``, which only makes way.
    """
    moves, stuck, parted = _moved_back(pairs, exists, outs)
    return moves, [*stuck, *parted]


def _moved_back(
    pairs: Sequence[Pair],
    exists: Callable[[str], bool],
    outs: Collection[str],
    plans: Sequence[Plan] = (),
) -> tuple[tuple[DataMove, ...], list[str], list[str]]:
    """The moves, what is told of those that cannot be, and of these what parts files from data that is there."""
    left, stuck, parted = list(pairs), list[str](), list[str]()
    while True:
        played = play(left, exists)
        if not played.left:
            break
        theres = set()
        for here, there in (p for p in played.left if p[0] not in outs):
            left.remove((here, there))
            theres.add(there)
            parts = exists(here) and not _in_trash(here)
            (parted if parts else stuck).append(_why(here, there, played, outs, exists, plans))
        left = _without_outs(left, outs, theres or {h for h, _ in played.left}, stuck)
    whys = {h: "Kept, as it was written since." for h in outs}
    return tuple(DataMove(h, t, whys.get(h, "Moves the data back.")) for h, t in played.done), stuck, parted


def _without_outs(left: Sequence[Pair], outs: Collection[str], theres: set[str], stuck: list[str]) -> list[Pair]:
    """The pairs without those that only make way in a place that nothing comes to, below it or around it."""
    dropped = [p for p in left if p[0] in outs and any(around(p[0], there) for there in theres)]
    stuck += [f"What is in {here} now stays there, as nothing would come in its place." for here, _ in dropped]
    return [p for p in left if p not in dropped]


def _why(
    here: str,
    there: str,
    played: Played,
    outs: Collection[str],
    exists: Callable[[str], bool],
    plans: Sequence[Plan],
) -> str:
    if not exists(here):
        return f"The data that was in {there} is no longer at {here}, so it does not come back."
    stays = f"The data that was in {there} stays at {here}:"
    waits = any(h == there and h in outs for h, _ in played.left)
    # Not what somebody put there, but what another of the plans moves, which lies in it or around it.
    if waits or played.changed(here) or not exists(there):
        by = [p for p in plans if any(around(e, there) for m in p.draft.moves for e in (m.source, m.target))]
        if len(by) > 1:
            name = by[-1].draft.summary
            return f"{stays} '{name}' moved what lies in it or around it. Roll that back by itself first."
    # What is there would have made way, and stays for the sake of what lies in it or around it.
    by = [p for p in plans if there in outs and any(m.target == here for m in p.draft.moves)]
    if by and len(plans) > 1:
        return f"{stays} roll back '{by[-1].draft.summary}' by itself where it is wanted."
    return f"{stays} something else is in its place by now."


def _parted(why: Sequence[str]) -> InvalidInput:
    return InvalidInput(
        " ".join(["Files would go back, and their data could not.", *why]),
        code="data_in_the_way",
        hint="Roll back the later plans by themselves first, or take away what is in the data's place.",
    )


def _moved_on(net: Sequence[Pair], later: Sequence[Plan]) -> dict[str, tuple[str, str]]:
    """Places that these moves filled, and whose content a later plan moved -> that plan in words, where it is now."""
    found = {}
    for here, _ in net:
        place, by = here, ""
        for plan in later:
            for move in plan.draft.moves:
                if place == move.source or place.startswith(f"{move.source}/"):
                    place = f"{move.target}{place.removeprefix(move.source)}"
                    by = plan.draft.summary
        if place != here:
            found[here] = (by, place)
    return found


def _net(plans: Iterable[Plan]) -> Iterator[Pair]:
    """(where data is, where it was) after all moves of these applies, the last moved first."""
    origins: dict[str, str] = {}
    for plan in plans:
        for move in plan.draft.moves:
            origins[move.target] = origins.pop(move.source, move.source)
    yield from ((here, was) for here, was in reversed(origins.items()) if here != was)


def _in_trash(path: str) -> bool:
    return path.startswith(f"{TRASH}/")
