"""From a wish about backups to a stored plan: set them up, make one now, put something back."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.backup_config import BackupConfig, Keep, check_config, parse_config
from homelab_mcp.core.backup_jobs import config_path, engine_of
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.references import literal
from homelab_mcp.core.secret_files import BACKUP_STACK
from homelab_mcp.model.errors import EngineFailed, InvalidInput, NotFound
from homelab_mcp.model.lab import TRASH
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, FileEdit, Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.backup_list import Listing, listing, snapshots_of, told_of
from homelab_mcp.queries.backup_place import backup_container, backup_place
from homelab_mcp.queries.backups import progress
from homelab_mcp.queries.find import find_service, read_stacks
from homelab_mcp.queries.machine import host_of
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of
from homelab_mcp.workflow.restore_in_use import refuse_in_use

RESTORE_SECONDS = 12 * 3600.0


def propose_configure_backup(
    lab: Lab,
    changes: Mapping[str, Any],
    requester: Requester,
    *,
    stack: str = "",
    ui: bool = False,
    keys: Mapping[str, str] | None = None,
) -> Plan:
    """A plan that sets up the lab's backups, or changes them.

    Args:
        lab: the lab.
        changes: fields of :class:`BackupConfig`; what is left out (or "") stays as it is.
        requester: who asks.
        stack: where it goes, at first; ``backup`` when "".
        ui: also add Backrest, to look into the repository.
        keys: variables of the repository, given by a person.

    Raises InvalidInput, EditRefused.
    """
    from homelab_mcp.core.operations.configure_backup import configure_backup

    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    config, stack = _wanted(lab, snapshot, changes, stack)
    draft = configure_backup(
        snapshot,
        lab.settings,
        config,
        stack,
        find=lab.catalog.get,
        secrets=lab.secrets.make,
        read=lab.files.read,
        root=lab.root,
        host=host_of(lab),
        keys=keys,
    )
    if ui:
        draft = _with_backrest(lab, draft, snapshot, stack)
    return plan_of(lab, draft, snapshot, requester)


def missing_keys(lab: Lab, changes: Mapping[str, Any], *, stack: str = "") -> tuple[str, ...]:
    """Variables that the repository needs and that nobody has set yet. Arguments and errors as for the plan."""
    config, stack = _wanted(lab, Snapshot(read_stacks(lab.files), None), changes, stack)
    env = env_file.parse(lab.files.read(f"{stack}/.env") or "")
    return tuple(n for n in config.secrets if not env.get(n))


def _wanted(lab: Lab, snapshot: Snapshot, changes: Mapping[str, Any], stack: str) -> tuple[BackupConfig, str]:
    """The settings as they are to be, and the stack that makes backups."""
    there = engine_of(view(snapshot))
    text = lab.files.read(config_path(there.stack)) if there else None
    now = parse_config(text).model_dump() if text else {}
    given = {k: v for k, v in changes.items() if v not in (None, "", (), [], {})}
    if keep := given.get("keep"):
        given["keep"] = {**Keep().model_dump(), **now.get("keep", {}), **keep}
    if "repository" not in {**now, **given}:
        raise InvalidInput(
            "No repository was named.",
            hint="For example /mnt/backup, sftp:user@nas:/backup, s3:https://host/bucket or rclone:remote:path.",
            code="missing_input",
        )
    return check_config({**now, **given}), there.stack if there else stack or BACKUP_STACK


def _with_backrest(lab: Lab, draft: Draft, snapshot: Snapshot, stack: str) -> Draft:
    """The draft with Backrest added to the stack as the draft leaves it."""
    from homelab_mcp.core.after import stacks_after
    from homelab_mcp.core.operations.add_service import add_service
    from homelab_mcp.core.operations.configure_backup import backrest_config, key_mounts
    from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
    from homelab_mcp.core.service_edit import ServiceEdit

    after = replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits))
    texts = {e.path: e.after for e in draft.edits}
    name = f"{draft.target}-backrest"
    added = add_service(
        after,
        lab.settings,
        AddServiceRequest(service="backrest", stack=stack, options=ServiceOptions(name=name)),
        find=lab.catalog.get,
        secrets=lab.secrets.make,
        argon2=lab.secrets.argon2,
        root=lab.root,
        read=lambda path: texts.get(path, lab.files.read(path)),
        host=host_of(lab),
    )
    config = parse_config(str(texts.get(config_path(stack)) or lab.files.read(config_path(stack))))
    edits = {e.path: e for e in draft.edits}
    for edit in added.edits:
        first = edits.get(edit.path)
        text = edit.after
        if edit.path.endswith((".yaml", ".yml")) and text is not None:
            service = ServiceEdit(text, name)
            for variable, value in config.environment.items():
                service.set_entry("environment", variable, value)
            if config.kind == "local":
                service.add_item("volumes", f"{literal(config.repository)}:/repository")
            for mount in key_mounts(config, home=True):
                service.add_item("volumes", mount)
            text = service.text
        edits[edit.path] = replace(edit, before=first.before if first else edit.before, after=text)
    path = f"{stack}/{name}/config/config.json"
    if lab.files.read(path) is None:
        edits[path] = FileEdit(path, None, backrest_config(config), 0o600)
    return replace(
        draft,
        summary=f"{draft.summary}, with Backrest to look into it",
        edits=tuple(edits.values()),
        actions=(*draft.actions, *added.actions),
        also_verify=(*draft.also_verify, *added.verifications),
        risks=(*draft.risks, *added.risks),
        notes=(*draft.notes, *added.notes, "Backrest only looks: the clock and the dumps are the backup container's."),
        secrets=(*draft.secrets, *added.secrets),
    )


def propose_run_backup(lab: Lab, requester: Requester) -> Plan:
    """A plan that makes a backup now.

    Raises NotFound (``no_backup``), EngineFailed (``backup_not_running``), EngineUnavailable, InvalidInput
    (``plan_needs_docker`` where Docker is left out).
    """
    from homelab_mcp.core.operations.run_backup import run_backup

    place = backup_place(lab)
    if lab.files_only:
        raise InvalidInput(
            "A backup needs Docker, which is left out (files only).",
            code="plan_needs_docker",
            hint="Run without --files-only.",
        )
    backup_container(lab)
    draft = run_backup(place.stack, place.service, place.config, place.jobs)
    return plan_of(lab, draft, planner(lab).snapshot(containers=True), requester)


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

    place = backup_place(lab)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    stack, service = _target(lab, snapshot, target, path)
    if stack == place.stack:
        raise InvalidInput(
            f"{stack} is the backup itself, which does not put itself back.",
            code="backup_itself",
            hint="Set it up again with configure_backup.",
        )
    what = wanted(snapshot, place.jobs.dumps, stack, service, path, root=lab.roots)
    refuse_in_use(lab, snapshot, place, what)
    seen = listing(lab)
    chosen = _chosen(lab, seen, backup)
    mark = f"{datetime.fromtimestamp(lab.clock.now(), UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    calls = [["restore", chosen[0], mark, *what.paths]]
    calls += [["dumped", chosen[0], mark, d.file, *what.emptied(d)] for d in what.dumps]
    lines = [line for words in calls for line in _restored(lab, words, on_step)]
    found = found_of(lines)
    draft = restore_backup(
        snapshot,
        replace(what, left=(*what.left, *found.problems, *_of_another(seen))),
        found=found,
        side=f"{place.stack}/restore/{mark}",
        trash=f"{TRASH}/{mark[:15]}-restore-{service or stack}",
        exists=lambda p: lab.data.identity(p) is not None,
        when=chosen[1],
        remade=place.remade,
        elsewhere=_elsewhere(seen),
        is_database=lab.data.is_database,
    )
    for move in draft.moves:
        if not move.source.startswith(f"{place.stack}/restore/"):
            continue
        if not lab.data.movable(move.source, move.target):
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


def _chosen(lab: Lab, seen: Listing, backup: str) -> tuple[str, str]:
    """(id, time) of the snapshot that is meant."""
    if seen.newest is None:
        raise NotFound("There is no backup yet.", hint="Plan one with run_backup.", code="no_backup")
    if backup in ("", "latest"):
        if seen.doubtful:
            raise InvalidInput(
                "None of the repository's backups is known to be this lab's, and they are of several labs.",
                code="backup_whose",
                hint=f"Name one by its id. The newest of each: {told_of(seen.doubtful)}.",
            )
        return seen.newest.id, seen.newest.time
    # One that is named may be another lab's: of this one too, before it got another id.
    found = [
        b for b in (*seen.backups, *snapshots_of(lab.restic)) if b.id.startswith(backup) or backup.startswith(b.id)
    ]
    found = list(dict.fromkeys(found))
    if len(found) != 1:
        near = ", ".join(f"{b.id} ({b.time})" for b in seen.backups[:5])
        hint = f"The newest: {near}.{_elsewhere(seen)}"
        raise NotFound(f"There is no backup {backup[:20]!r}.", hint=hint, code="backup_unknown")
    return found[0].id, found[0].time


def _of_another(seen: Listing) -> tuple[str, ...]:
    """What is told of a backup that another lab made: on a new machine it is meant, beside another lab it is not."""
    return (f"No backup is known to be this lab's: this one is of {seen.foreign}.",) if seen.foreign else ()


def _elsewhere(seen: Listing) -> str:
    """A sentence on backups under another id: after a new machine's first backup, the old one's are among those."""
    return f" Of other labs, or of this one by another id: {told_of(seen.others)}." if seen.others else ""


def _restored(lab: Lab, words: list[str], on_step: Callable[[str], None] | None) -> Sequence[str]:
    """What the backup's script said. Raises EngineFailed (``backup_failed``) where it failed."""
    if len(words) < 4:
        return []

    def heard(line: str) -> None:
        if on_step is not None and (told := progress(line)):
            on_step(told)

    code, lines = lab.restic.run(words, seconds=RESTORE_SECONDS, on_line=heard)
    if code != 0:
        told = "; ".join(line[8:] for line in lines if line.startswith("PROBLEM "))
        raise EngineFailed(
            f"Restoring to the side folder failed: {told[:400] or f'exit code {code}'}",
            hint="Nothing of the lab was changed. See `homelab-mcp backups`.",
            code="backup_failed",
        )
    return lines
