"""The steps of an apply that touch services' data: what to remember, how they are done, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from homelab_mcp.core.operations.moves_played import mixed_with
from homelab_mcp.model.errors import EngineUnavailable, HomelabError, InvalidInput, PlanRefused, StorageFailed
from homelab_mcp.model.lab import DATABASE_LOGS
from homelab_mcp.model.plan import Evidence, Plan
from homelab_mcp.ports import Data, Files
from homelab_mcp.workflow.plan_facts import folders_of, owners_of

_MANY = 10_000_000


def remember(data: Data | None, plan: Plan) -> list[list[str]]:
    """[source, target, identity] of every move that is to be done.

    The identity tells later, after a kill at any moment, on which side of its rename a folder stands.

    Raises:
        PlanRefused: data is not where the plan saw it (``plan_stale``), or two of the moves are of one place
            (``moves_overlap``).
    """
    _refuse_overlap([(m.source, m.target) for m in plan.draft.moves])
    found = []
    named = {m.source for m in plan.draft.moves}
    freed: set[str] = set()
    for move in plan.draft.moves:
        here = _there(data).identity(move.source)
        places = [move.target]
        if _there(data).is_database(move.source):
            # Where its logs go, and where one that is none of its own would be taken for it.
            places += [f"{move.target}{end}" for end in DATABASE_LOGS]
        in_the_way = next((p for p in places if p not in freed and _there(data).identity(p) is not None), "")
        # What an earlier move takes away is out of the way by then, and so are logs that go with it.
        along = {f"{move.source}{end}" for end in _there(data).logs(move.source)}
        freed |= {move.source} | (along - named)
        if here is None or in_the_way:
            wrong = f"{move.source} is gone" if here is None else f"something is at {in_the_way} by now"
            raise PlanRefused(f"Since the plan was made: {wrong}.", code="plan_stale", hint="Ask for the plan again.")
        found.append([move.source, move.target, here])
    return found


def carry_out(data: Data | None, plan: Plan, moves: Sequence[Sequence[str]], step: Callable[[str], None]) -> None:
    """Move what is to be moved, then give away what is to be given away. Raises InvalidInput, StorageFailed.

    A database's file goes first and takes its logs along: after a kill between them they are put together again.
    """
    named = {source for source, _, _ in moves}
    for source, target, identity in moves:
        step(f"moving {source} to {target}")
        found = _there(data).identity(source)
        if found is None and source.endswith(DATABASE_LOGS):
            # SQLite itself takes them away when its program ends.
            continue
        if found != identity:
            raise PlanRefused(f"{source} was replaced while the apply was at work.", code="plan_stale")
        logs = [end for end in _there(data).logs(source) if source + end not in named]
        _there(data).move(source, target)
        for end in logs:
            _there(data).move(source + end, target + end)
    if plan.draft.owners:
        step("changing owners")
    for change in plan.draft.owners:
        if change.whole:
            for one in _there(data).strangers(change.path, change.uid, change.gid, _MANY).found:
                _there(data).give(one.path, change.uid, change.gid)
        # One that somebody gave to another owner meanwhile, or that went, is no longer ours to change.
        elif _there(data).owner(change.path) == (change.was_uid, change.was_gid):
            _there(data).give(change.path, change.uid, change.gid)


def make_folders(files: Files, data: Data | None, plan: Plan) -> tuple[Evidence, ...]:
    """Make the folders that the plan's services mount, each its owner's from the start; what is there stays as it is.

    A folder that this process may not give away is told, and left for its service to show whether it can do without.
    """
    owners, seen = owners_of(plan.draft), list[Evidence]()
    given: dict[tuple[int, int], list[str]] = {}
    for folder in folders_of(plan):
        made, wanted = files.make_folder(folder), owners.get(folder)
        if not wanted or data is None:
            continue
        if made and data.owner(folder) != wanted:
            with suppress(StorageFailed):
                data.give(folder, *wanted)
        if (found := data.owner(folder)) == wanted:
            given.setdefault(wanted, []).append(folder)
            continue
        is_now, should = (":".join(map(str, pair or ())) for pair in (found, wanted))
        why = "this process may not give it away" if made else "it was there before and is left so"
        seen.append(
            Evidence(
                f"{folder} belongs to {is_now}, and not to {should}: {why}",
                ok=not made,
                detail=f"Where its service cannot write there: chown -R {should} {files.root}/{folder}, as root.",
            )
        )
    told = (f"{', '.join(paths)}: belongs to {uid}:{gid}" for (uid, gid), paths in given.items())
    return (*(Evidence(line, ok=True) for line in told), *seen)


def put_back(data: Data | None, plan: Plan, moves: Sequence[Sequence[str]]) -> list[Evidence]:
    """Undo what was done of it, the last first.

    Raises EngineUnavailable: a host whose data was moved does not answer, so nobody can tell what was done there. What
    is put back already stays so, and is not done twice.
    """
    seen: list[Evidence] = []
    given = 0
    for change in reversed(plan.draft.owners):
        if not change.whole and _there(data).owner(change.path) == (change.uid, change.gid):
            _there(data).give(change.path, change.was_uid, change.was_gid)
            given += 1
    if given:
        seen.append(Evidence(f"{given} owners put back", ok=True))
    named = {target for _, target, _ in moves}
    for number, (source, target, identity) in reversed(list(enumerate(moves))):
        here = _there(data).identity(target)
        if here != identity or _taken_along(source, target, moves[:number]):
            if here is None and not source.endswith(DATABASE_LOGS) and _lost(data, source, target, moves[:number]):
                # Its stack says another host by now, or somebody took it: that is for a person to see.
                seen.append(Evidence(f"{source} is neither there nor at {target}", ok=False))
            continue
        try:
            # Its logs before it: whoever is killed between them begins here again. And they may have come since.
            for end in _there(data).logs(target):
                if target + end not in named:
                    _there(data).move(target + end, source + end)
            _there(data).move(target, source)
            seen.append(Evidence(f"{source} moved back", ok=True))
        except EngineUnavailable:
            raise
        except HomelabError as error:
            seen.append(Evidence(f"{source} is not moved back: it is at {target}", ok=False, detail=error.message))
    return seen


def _refuse_overlap(moves: Sequence[tuple[str, str]]) -> None:
    """Raise PlanRefused where what is to move is another thing by then, or its place is not free."""
    for number, (source, target) in enumerate(moves):
        if earlier := mixed_with((source, target), moves[:number]):
            raise PlanRefused(
                f"{earlier[0]} to {earlier[1]} and {source} to {target} are moves of one place, and would mix what is "
                "there.",
                code="moves_overlap",
                hint="Ask for the plan again; data that lies inside other data moves with that.",
            )


def _lost(data: Data | None, source: str, target: str, before: Sequence[Sequence[str]]) -> bool:
    """Whether it is nowhere; what lies in a folder that an earlier move brought away is there."""
    inside = any(source.startswith(f"{s}/") for s, _, _ in before)
    return not inside and not _taken_along(source, target, before) and _there(data).identity(source) is None


def _taken_along(source: str, target: str, before: Sequence[Sequence[str]]) -> bool:
    """Whether an earlier move has brought it there inside of a folder, so that this one was never carried out."""
    return any(source.startswith(f"{s}/") and target == t + source.removeprefix(s) for s, t, _ in before)


def _there(data: Data | None) -> Data:
    if data is None:
        raise InvalidInput("A step on data needs the lab's data folders.", code="plan_needs_data")
    return data
