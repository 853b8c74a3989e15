"""Put what was restored to a side folder in its place: the old is kept, and databases begin anew from their dumps."""

from __future__ import annotations

from collections.abc import Callable, Collection

from homelab_mcp.core.backup_jobs import Dump
from homelab_mcp.core.operations.data_places import folded
from homelab_mcp.core.operations.restore_found import Found
from homelab_mcp.core.operations.restore_wanted import Wanted, wanted
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import DATABASE_LOGS, TRASH_DAYS
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import (
    ActionKind,
    DataMove,
    Draft,
    EngineAction,
    Risk,
    RiskReason,
    Verification,
)

__all__ = ["Wanted", "restore_backup", "wanted"]


def restore_backup(
    snapshot: Snapshot,
    what: Wanted,
    *,
    found: Found,
    side: str,
    trash: str,
    exists: Callable[[str], bool],
    when: str,
    remade: Collection[str] = (),
    elsewhere: str = "",
    is_database: Callable[[str], bool] = lambda _: False,
) -> Draft:
    """A draft that swaps what was restored into place.

    Args:
        snapshot: the lab as it is.
        what: what was asked for.
        found: what the backup held.
        side: the folder of the lab that it was restored to.
        trash: where the present data goes.
        exists: whether a path of the lab is there.
        when: the backup's time, for people.
        remade: patterns of what a backup leaves out as services make it anew.
        elsewhere: a sentence on backups that another id has, for a hint; it begins with a space.
        is_database: whether a path of the lab is a file of SQLite.

    Raises InvalidInput where the backup holds none of it (``not_in_backup``), or nothing but folders that it was told
    to leave empty (``left_out``).
    """
    moves: list[DataMove] = []
    stays = found.stays(what.dumps, remade)
    held = [f for f in found.held if f not in stays]

    def begins_anew(dump: Dump) -> bool:
        around = (p for p in what.paths if any(f.startswith(f"{p}/") for f in dump.folders))
        return dump.file in held and all(p in held for p in around)

    begin = [d for d in what.dumps if begins_anew(d)]
    # One inside another's folder begins anew with that one, or not at all.
    outer = [f for d in what.dumps if d not in begin for f in d.folders]
    loads = [d for d in begin if not any(f.startswith(f"{o}/") for f in d.folders for o in outer)]
    # A folder around a database whose dump is not there would put the database away with nothing to load.
    kept = {f for d in what.dumps if d not in loads for f in d.folders}
    around = [p for p in what.paths if any(f.startswith(f"{p}/") for f in kept)]
    sources = {p: f"{side}/lab/{p}" for p in what.paths if p in held and p not in around}
    for folder in (f for d in loads for f in what.emptied(d)):
        sources.setdefault(folder, f"{side}/empty/{folder}")
    # One move takes along what is inside: a second one of that would mix the old with the new.
    for path in folded(sources):
        moves += _swap(path, sources[path], trash, exists, is_database)
    if not moves and stays:
        raise InvalidInput(
            f"{'; '.join(f'{p}: {why}' for p, why in stays.items())}, and it is full now.",
            code="left_out",
            hint="Restore files and folders beside what was left out, one by one (--path).",
        )
    if not moves:
        raise InvalidInput(
            "That backup holds nothing of it.",
            code="not_in_backup",
            hint=f"List the backups and take another.{elsewhere}",
        )
    bases = tuple(d.service for d in loads)
    missing = [p for p in (*what.paths, *(d.file for d in what.dumps)) if p not in found.held]
    up = tuple(s for s in what.services if s not in bases)
    # A database that did not run must, to load its dump.
    still = (*what.services, *(b for b in bases if b not in what.services))
    stack = what.stack
    actions = []
    if still:
        actions.append(EngineAction(ActionKind.REMOVE, "Its data is swapped.", stack, still))
    if bases:
        actions.append(EngineAction(ActionKind.UP, "It begins with an empty folder.", stack, bases))
    for dump in loads:
        why = f"Its rows are those of {found.rows_of(dump, when)}."
        actions.append(EngineAction(ActionKind.LOAD, why, stack, (dump.service,), name=f"{side}/dumps/{dump.file}"))
    if up:
        actions.append(EngineAction(ActionKind.UP, "It runs on the restored data.", stack, up))
    names = ", ".join(m.target for m in moves if not m.target.startswith(trash))
    return Draft(
        operation="restore_backup",
        summary=f"Restore {names} from the backup of {when}"[:300],
        edits=(),
        actions=tuple(actions),
        moves=tuple(moves),
        verification=Verification(stack, still) if still else Verification(),
        risks=(
            RiskReason(Risk.HIGH, f"Everything written since {when} is put aside."),
            *(
                RiskReason(Risk.HIGH, f"{file} comes back too, as it was then and unseen: it is no data.")
                for file in what.written
                if any(file == p or file.startswith(f"{p}/") for p in sources)
            ),
            # Beside what is of then, it stays as it is now: rows may name files that are not there, or have others.
            *(
                RiskReason(Risk.HIGH, f"{p} stays as it is now, beside what comes back: {why}, and it is full now.")
                for p, why in stays.items()
            ),
            *(RiskReason(Risk.HIGH, told) for told in (*found.goes(what.dumps, remade), *found.older(loads, when))),
        ),
        notes=(
            f"What is there now is kept in {trash} for {TRASH_DAYS} days.",
            *(f"The backup does not hold {m}; it stays as it is." for m in missing),
            *(f"{p} stays as it is: a database is in it, and no dump of that." for p in around if p in held),
            *what.left,
        ),
        undo="Roll this plan back: the present data is put back from the trash, as long as that is kept.",
        target=still[0] if len(still) == 1 else stack,
    )


def _swap(
    path: str,
    source: str,
    trash: str,
    exists: Callable[[str], bool],
    is_database: Callable[[str], bool],
) -> list[DataMove]:
    moves = [DataMove(source, path, "The restored data.")]
    there = exists(path)
    # A database takes its own logs along. Beside a restored one, those of one that is gone, or that is not known for a
    # database any more (its head is broken), would be taken for its own.
    if not there or (is_database(source) and not is_database(path)):
        logs = [f"{path}{end}" for end in DATABASE_LOGS if exists(f"{path}{end}")]
        why = f"The log of a database that is {'broken' if there else 'gone'}."
        moves[:0] = [DataMove(log, f"{trash}/{log}", why) for log in logs]
    if there:
        moves.insert(0, DataMove(path, f"{trash}/{path}", "Kept, in case the backup is not what was wanted."))
    return moves
