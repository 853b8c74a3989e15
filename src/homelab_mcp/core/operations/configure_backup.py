"""Set up the lab's backups, or change them: a stack of its own that runs restic by its own clock."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping

from homelab_mcp.core import compose_edit, env_file
from homelab_mcp.core.backup_config import (
    FOLDERS,
    NOTED,
    PASSWORD,
    PLACE,
    BackupConfig,
    config_text,
)
from homelab_mcp.core.backup_jobs import config_path, engine_of
from homelab_mcp.core.backup_shared import Known as Shared
from homelab_mcp.core.backup_shared import disk_of, known_of
from homelab_mcp.core.brought_files import is_brought
from homelab_mcp.core.compose_meaning import read as read_yaml
from homelab_mcp.core.compose_meaning import services_of
from homelab_mcp.core.operations.backup_block import engine_block
from homelab_mcp.core.operations.lab_view import Known, view
from homelab_mcp.core.references import literal
from homelab_mcp.core.resources import Host
from homelab_mcp.core.service_facts import environment_of
from homelab_mcp.core.stack_host import host_of, with_host
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, asks
from homelab_mcp.model.lab import LOCAL, OVERRIDE_NAMES, LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Risk,
    RiskReason,
    Verification,
)


def configure_backup(
    snapshot: Snapshot,
    settings: LabSettings,
    config: BackupConfig,
    stack_name: str,
    *,
    find: Callable[[str], ServiceDefinition],
    secrets: Callable[[str, int], str],
    read: Callable[[str], str | None],
    root: str,
    host: Host | None = None,
    keys: Mapping[str, str] | None = None,
    place: str = LOCAL,
    socket: str = "",
) -> Draft:
    """A draft with the backup's stack as these settings want it.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        config: the backup's settings.
        stack_name: the stack, which is also the service's name; one that is there already stays where it is.
        find: a definition by id; Backrest's gives the image.
        secrets: makes a secret of a kind and length.
        read: the text of a file of the lab, or None.
        root: the lab's absolute path.
        host: what limits must fit, where that is known.
        keys: variables of the repository with their values, given by a person.
        place: the Docker host whose data is to be backed up; the stack is there.
        socket: that host's Docker socket; "" for the lab's setting.

    Raises:
        InvalidInput: keys of the repository are missing (``missing_input``), one that it does not take was given
            (``bad_value``), or nothing would change.
        EditRefused: the stack's file cannot be changed without losing something.
    """
    seen = view(snapshot)
    there = engine_of(seen, place)
    stack_name, name = (there.stack, there.name) if there else (stack_name, stack_name)
    found = snapshot.stack(stack_name)
    if found and host_of(found.compose_text) != place:
        raise InvalidInput(
            f"Stack {stack_name} is on host {host_of(found.compose_text)}, not on {place}.",
            hint="Name another stack (--stack).",
            code="other_host",
        )
    if not there and place != LOCAL:
        _refuse_in_use(found, stack_name, read)
    stack = found or StackFiles(stack_name, f"{stack_name}/compose.yaml", "", "")
    env_before = stack.env_text or read(stack.env_path)
    env = env_file.parse(env_before or "")
    known = known_of(seen, config, place, read)
    given = {**known.values, **_given(keys or {}, config)}
    missing = [n for n in config.secrets if not (given.get(n) or env.get(n))]
    if missing:
        raise InvalidInput(
            f"The repository needs {', '.join(missing)} in {stack_name}/.env.",
            hint=f"A person runs `homelab-mcp backup configure{_at(place)} {shlex.quote(config.repository)}`, which "
            f"asks for them, or `homelab-mcp env set {stack_name} {' '.join(missing)}` first.",
            code="missing_input",
            details=asks(stack_name, missing),
        )
    image = find("backrest").container.image.reference
    socket = socket or settings.docker_socket
    block = engine_block(name, config, image, settings, root, host, place=place, socket=socket)
    if there and _noted_otherwise(there, config):
        # Else a first run while its disk is not mounted would begin anew on the wrong one.
        block["environment"][NOTED] = config.inside
    text = compose_edit.remove_service(stack.compose_text, name) if there else stack.compose_text
    after = compose_edit.add_services(text, {name: block})
    after = after if stack.compose_text else with_host(after, place)
    # What opens a repository that another host goes on with is no password for one of its own.
    has = given.get(PASSWORD) or (env.get(PASSWORD) and not known.left)
    made = {} if has else {PASSWORD: secrets("alnum", 40)}
    kept = env_file.remove(env_before or "", known.gone)
    env_after = env_file.set_values(kept, {"TZ": settings.timezone, **made, **given})
    path = config_path(stack_name)
    written = (
        FileEdit(stack.compose_path, stack.compose_text or None, after),
        FileEdit(stack.env_path, env_before, env_after, mode=0o600, secret=True),
        FileEdit(path, read(path), config_text(config)),
    )
    edits = tuple(e for e in written if e.before != e.after)
    if not edits:
        raise InvalidInput("The backup already is as asked.", hint="No plan is needed.", code="nothing_to_do")
    return Draft(
        operation="configure_backup",
        summary=f"{'Change' if there else 'Set up'} {_whose(place)} backup to {config.repository}",
        edits=edits,
        actions=_actions(stack_name, name, edits, place),
        verification=Verification(stack_name, (name,)),
        risks=(
            RiskReason(Risk.MEDIUM, f"Adds and starts {name}." if not there else f"Recreates {name}."),
            RiskReason(
                Risk.HIGH, "Gets the Docker socket, so it commands the host: dumps run in databases' containers."
            ),
            *_reach(config, place, PASSWORD in given, whole=disk_of(place, read) == LOCAL),
        ),
        notes=(*_notes(config, stack_name, bool(made), root, place), *_left(known, place)),
        undo="Roll this plan back; what is in the repository stays there.",
        target=name,
        secrets=(*made.values(), *(v for n, v in given.items() if n in (*config.secrets, PASSWORD))),
    )


def _at(place: str) -> str:
    return "" if place == LOCAL else f" --host {place}"


def _whose(place: str) -> str:
    return "the lab's" if place == LOCAL else f"host {place}'s"


def _left(known: Shared, place: str) -> Iterator[str]:
    if known.left:
        yield (
            f"The repository before is another host's too: its password and keys were known on "
            f"{'this machine' if place == LOCAL else place}. Change them if they must not be: new keys at the store, "
            "and `restic key passwd`."
        )


def _reach(config: BackupConfig, place: str, shared: bool, *, whole: bool) -> list[RiskReason]:
    """``whole``: what runs there sees this machine's disk."""
    what = "Every file of the lab, secrets too," if whole else f"The data of the stacks on {place}"
    told = [f"{what} goes (encrypted) to {config.repository}."]
    if shared:
        on = "this machine" if place == LOCAL else place
        told.append(
            f"The repository is another host's too: its password and keys are on {on} from then on, and who commands "
            "that host can read and delete every backup in it."
        )
    return [RiskReason(Risk.HIGH, one) for one in told]


def _noted_otherwise(there: Known, config: BackupConfig) -> bool:
    """Whether the repository stays in its folder, which the container so far knew by its name inside alone."""
    env, volumes = environment_of(there), there.data.get("volumes")
    same = isinstance(volumes, list) and f"{literal(config.repository)}:{config.inside}" in volumes
    return config.kind == "local" and same and (PLACE not in env or NOTED in env)


def _given(keys: Mapping[str, str], config: BackupConfig) -> dict[str, str]:
    known = (*config.secrets, *config.optional)
    if unknown := [n for n in keys if n not in known]:
        raise InvalidInput(
            f"A {config.kind} repository takes no {unknown[0]}.",
            hint=f"It takes {', '.join(known)}." if known else "It takes no keys in variables.",
            code="bad_value",
        )
    return {n: v for n, v in keys.items() if v}


def _refuse_in_use(stack: StackFiles | None, name: str, read: Callable[[str], str | None]) -> None:
    """Keep a stack's own override file, whose place is taken, and services whose stack would come and go with it."""
    paths = [p for p in (f"{name}/{one}" for one in OVERRIDE_NAMES) if (text := read(p)) and not is_brought(text)]
    services = sorted(services_of(read_yaml(stack.compose_text))) if stack and not paths else []
    if paths or services:
        what = f"has {paths[0]}, which would be replaced" if paths else f"has other services: {', '.join(services)}"
        raise InvalidInput(
            f"Stack {name} {what}.",
            hint="Leave out the stack, or name a new one (--stack): on another host the backup has one of its own.",
            code="stack_in_use",
        )


def _actions(stack: str, name: str, edits: tuple[FileEdit, ...], place: str) -> tuple[EngineAction, ...]:
    # On another host its settings come with its container.
    if place == LOCAL and all(e.path == config_path(stack) for e in edits):
        # Its container stays the same, and reads its clock only when it starts.
        return (EngineAction(ActionKind.RESTART, "It reads its settings when it starts.", stack, (name,)),)
    return (
        EngineAction(ActionKind.PULL, "The image must be here before anything starts.", stack, (name,)),
        EngineAction(ActionKind.UP, "It runs backups by its own clock from then on.", stack, (name,)),
    )


def _notes(config: BackupConfig, stack: str, made: bool, root: str, place: str) -> list[str]:
    notes = []
    if made:
        notes.append(
            f"A new password is in {stack}/.env. Keep a copy of it outside of this machine: without it nobody can read "
            "a backup, and it burns with the lab."
        )
    if place != LOCAL:
        notes.append(f"It backs up what the stacks on {place} have below {root} there, by that host's own clock.")
    if config.kind == "local" and place != LOCAL:
        notes.append(f"{config.repository} is a folder of {place}: mount another disk there.")
    elif config.kind == "local":
        where = f"{config.repository}/"
        if where.startswith(f"{root.rstrip('/')}/"):
            notes.append(
                "The repository lies in the lab's own folder: it helps against mistakes, not against a dead disk."
            )
        else:
            notes.append(f"Mount another disk at {config.repository}: on the lab's own disk it is no backup.")
    if config.kind in FOLDERS:
        folder = FOLDERS[config.kind][0]
        what = "a key without passphrase and known_hosts" if folder == "ssh" else "rclone.conf"
        on = "" if place == LOCAL else f" on {place} (below {root} there)"
        notes.append(
            f"A person puts {what} into {stack}/{folder}{on} (docs: backups); until then a run fails and says so."
        )
    run, verify = (f"`homelab-mcp backup {word}{_at(place)}`" for word in ("run", "verify"))
    notes.append(f"Nothing is backed up yet: {run} makes the first, and {verify} proves it.")
    return notes
