"""From a wish to have data back to a stored plan: it is restored to a side folder first."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from homelab_mcp.core.trash import trash_folder
from homelab_mcp.model.errors import EngineFailed, InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab, Restic
from homelab_mcp.queries.backup_list import Listing, listing, told_of
from homelab_mcp.queries.backup_place import backup_place, host_of_stack
from homelab_mcp.queries.backups import progress
from homelab_mcp.queries.find import find_service
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of
from homelab_mcp.workflow.restore_in_use import refuse_in_use

RESTORE_SECONDS = 12 * 3600.0


def propose_restore_backup(
    lab: Lab,
    target: str,
    requester: Requester,
    *,
    backup: str = "latest",
    path: str = "",
    on_step: Callable[[str], None] | None = None,
) -> Plan:
    """A plan that puts data of a backup in its place. It is restored to a side folder first, so the plan is sure of it.

    Args:
        lab: the lab.
        target: ``stack``, ``stack/service`` or a service's name; with ``path``, whose it is.
        requester: who asks.
        backup: a snapshot's id; latest: the newest.
        path: one file or folder, relative to the lab's root.
        on_step: told each step.

    Raises NotFound, InvalidInput, EngineFailed, EngineUnavailable.
    """
    from homelab_mcp.core.operations.restore_backup import restore_backup, wanted
    from homelab_mcp.core.operations.restore_found import found_of

    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    stack, service = _target(lab, snapshot, target, path)
    host = host_of_stack(lab, stack)
    place = backup_place(lab, host)
    if stack == place.stack:
        raise InvalidInput(
            f"{stack} is the backup itself, which does not put itself back.",
            code="backup_itself",
            hint="Set it up again with configure_backup.",
        )
    what = wanted(snapshot, place.jobs.dumps, stack, service, path, root=lab.roots)
    refuse_in_use(lab, snapshot, place, what)
    seen = listing(lab, host)
    chosen = _chosen(seen, backup)
    mark = f"{datetime.fromtimestamp(lab.clock.now(), UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    calls = [["restore", chosen[0], mark, *what.paths]]
    calls += [["dumped", chosen[0], mark, d.file, *what.emptied(d)] for d in what.dumps]
    lines = [line for words in calls for line in _restored(lab.restic_at(host), words, on_step)]
    found = found_of(lines)
    draft = restore_backup(
        snapshot,
        replace(what, left=(*what.left, *found.problems, *_of_another(seen), *_of_host(seen, chosen[0], host))),
        found=found,
        side=f"{place.stack}/restore/{mark}",
        trash=trash_folder(f"{mark[:15]}-restore-{service or stack}", host),
        exists=lambda p: lab.placed_data.identity(p) is not None,
        when=chosen[1],
        remade=place.remade,
        elsewhere=_elsewhere(seen),
        is_database=lab.placed_data.is_database,
    )
    for move in draft.moves:
        if not move.source.startswith(f"{place.stack}/restore/"):
            continue
        if not lab.placed_data.movable(move.source, move.target):
            raise InvalidInput(
                f"{move.source} and {move.target} are on different file systems.",
                code="other_file_system",
                hint=f"It is restored below {place.stack}/restore/{mark}: stop the service and copy it by hand.",
            )
    return plan_of(lab, draft, snapshot, requester)


def _target(lab: Lab, snapshot: Snapshot, target: str, path: str) -> tuple[str, str]:
    names = {s.name: s for s in snapshot.stacks}
    if path and not target:
        target = path.partition("/")[0]
    if target in names:
        return target, ""
    try:
        return find_service(lab.files, target)
    except NotFound as error:
        hint = f"{error.hint} Where it was removed: roll the removal back first, then restore."
        raise NotFound(error.message, hint=hint.strip(), code=error.code) from error


def _chosen(seen: Listing, backup: str) -> tuple[str, str]:
    """(id, time) of the snapshot that is meant."""
    if seen.newest is None and (backup in ("", "latest") or not seen.every):
        what = "There is no backup yet." if seen.host == LOCAL else f"There is no backup of {seen.host} yet."
        raise NotFound(what, hint=f"Plan one with run_backup.{seen.of_others}", code="no_backup")
    if seen.newest is not None and backup in ("", "latest"):
        if seen.doubtful:
            raise InvalidInput(
                "None of the repository's backups is known to be this lab's, and they are of several labs.",
                code="backup_whose",
                hint=f"Name one by its id. The newest of each: {told_of(seen.doubtful)}.",
            )
        return seen.newest.id, seen.newest.time
    # One that is named may be another lab's: of this one too, before it got another id.
    found = [b for b in seen.every if b.id.startswith(backup) or backup.startswith(b.id)]
    if len(found) != 1:
        near = ", ".join(f"{b.id} ({b.time})" for b in seen.backups[:5])
        hint = f"{f'The newest: {near}.' if near else ''}{_elsewhere(seen)}{seen.of_others}".strip()
        raise NotFound(f"There is no backup {backup[:20]!r}.", hint=hint, code="backup_unknown")
    return found[0].id, found[0].time


def _of_another(seen: Listing) -> tuple[str, ...]:
    """What is told of a backup that another lab made: on a new machine it is meant, beside another lab it is not."""
    return (f"No backup is known to be this lab's: this one is of {seen.foreign}.",) if seen.foreign else ()


def _elsewhere(seen: Listing) -> str:
    """A sentence on backups under another id: after a new machine's first backup, the old one's are among those."""
    return f" Of other labs, or of this one by another id: {told_of(seen.others)}." if seen.others else ""


def _of_host(seen: Listing, chosen: str, host: str) -> tuple[str, ...]:
    """What is told of a backup that another Docker host made: perhaps this one, by another name."""
    maker = seen.makers.get(chosen, host)
    name = "the lab's own machine" if maker == LOCAL else f"host {maker}"
    place = "this machine" if host == LOCAL else host
    return (f"That backup is of {name}, and comes to {place}.",) if maker != host else ()


def _restored(restic: Restic, words: list[str], on_step: Callable[[str], None] | None) -> Sequence[str]:
    """What the backup's script said. Raises EngineFailed (``backup_failed``) where it failed."""
    if len(words) < 4:
        return []

    def heard(line: str) -> None:
        if on_step is not None and (told := progress(line)):
            on_step(told)

    code, lines = restic.run(words, seconds=RESTORE_SECONDS, on_line=heard)
    if code != 0:
        told = "; ".join(line[8:] for line in lines if line.startswith("PROBLEM "))
        raise EngineFailed(
            f"Restoring to the side folder failed: {told[:400] or f'exit code {code}'}",
            hint="Nothing of the lab was changed. See `homelab-mcp backups`.",
            code="backup_failed",
        )
    return lines
