"""Set up the lab's backups, or change them: a stack of its own that runs restic by its own clock."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from homelab_mcp.core import compose_edit, env_file
from homelab_mcp.core.backup_config import CA, ENGINE_LABEL, FOLDERS, NOTED, PASSWORD, PLACE, BackupConfig, config_text
from homelab_mcp.core.backup_jobs import config_path, engine_of
from homelab_mcp.core.labels import CATEGORY
from homelab_mcp.core.operations.lab_view import Known, view
from homelab_mcp.core.references import literal
from homelab_mcp.core.resources import Host, deploy_of, logging_of
from homelab_mcp.core.service_facts import environment_of
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, asks
from homelab_mcp.model.lab import LabSettings
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

    Raises:
        InvalidInput: keys of the repository are missing (``missing_input``), one that it does not take was given
            (``bad_value``), or nothing would change.
        EditRefused: the stack's file cannot be changed without losing something.
    """
    there = engine_of(view(snapshot))
    stack_name, name = (there.stack, there.name) if there else (stack_name, stack_name)
    stack = snapshot.stack(stack_name) or StackFiles(stack_name, f"{stack_name}/compose.yaml", "", "")
    env_before = stack.env_text or read(stack.env_path)
    env = env_file.parse(env_before or "")
    given = _given(keys or {}, config)
    missing = [n for n in config.secrets if not (given.get(n) or env.get(n))]
    if missing:
        raise InvalidInput(
            f"The repository needs {', '.join(missing)} in {stack_name}/.env.",
            hint=f"A person runs `homelab-mcp backup configure {shlex.quote(config.repository)}`, which asks for them, "
            f"or `homelab-mcp env set {stack_name} {' '.join(missing)}` first.",
            code="missing_input",
            details=asks(stack_name, missing),
        )
    block = engine_block(name, config, find("backrest").container.image.reference, settings, root, host)
    if there and _noted_otherwise(there, config):
        # Else a first run while its disk is not mounted would begin anew on the wrong one.
        block["environment"][NOTED] = config.inside
    text = compose_edit.remove_service(stack.compose_text, name) if there else stack.compose_text
    after = compose_edit.add_services(text, {name: block})
    made = {} if env.get(PASSWORD) else {PASSWORD: secrets("alnum", 40)}
    env_after = env_file.set_values(env_before or "", {"TZ": settings.timezone, **made, **given})
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
        summary=f"{'Change' if there else 'Set up'} the lab's backup to {config.repository}",
        edits=edits,
        actions=_actions(stack_name, name, edits),
        verification=Verification(stack_name, (name,)),
        risks=(
            RiskReason(Risk.MEDIUM, f"Adds and starts {name}." if not there else f"Recreates {name}."),
            RiskReason(
                Risk.HIGH, "Gets the Docker socket, so it commands the host: dumps run in databases' containers."
            ),
            RiskReason(Risk.HIGH, f"Every file of the lab, secrets too, goes (encrypted) to {config.repository}."),
        ),
        notes=tuple(_notes(config, stack_name, bool(made), root)),
        undo="Roll this plan back; what is in the repository stays there.",
        target=name,
        secrets=(*made.values(), *(v for n, v in given.items() if n in config.secrets)),
    )


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


def _actions(stack: str, name: str, edits: tuple[FileEdit, ...]) -> tuple[EngineAction, ...]:
    if all(e.path == config_path(stack) for e in edits):
        # Its container stays the same, and reads its clock only when it starts.
        return (EngineAction(ActionKind.RESTART, "It reads its settings when it starts.", stack, (name,)),)
    return (
        EngineAction(ActionKind.PULL, "The image must be here before anything starts.", stack, (name,)),
        EngineAction(ActionKind.UP, "It runs backups by its own clock from then on.", stack, (name,)),
    )


def _notes(config: BackupConfig, stack: str, made: bool, root: str) -> list[str]:
    notes = []
    if made:
        notes.append(
            f"A new password is in {stack}/.env. Keep a copy of it outside of this machine: without it nobody can read "
            "a backup, and it burns with the lab."
        )
    if config.kind == "local":
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
        notes.append(f"A person puts {what} into {stack}/{folder} (docs: backups); until then a run fails and says so.")
    notes.append("Nothing is backed up yet: `homelab-mcp backup run` makes the first, and `backup verify` proves it.")
    return notes


def engine_block(
    name: str, config: BackupConfig, image: str, settings: LabSettings, root: str, host: Host | None
) -> dict[str, Any]:
    """The service that runs restic, as plain data."""
    volumes = [
        f"{literal(root)}:/lab:ro",
        "./engine:/backup:ro",
        "./dumps:/dumps",
        "./restore:/restore",
        "./state:/state",
        f"{literal(settings.docker_socket)}:/var/run/docker.sock:ro",
    ]
    if config.kind == "local":
        volumes.append(f"{literal(config.repository)}:/repository")
    volumes += key_mounts(config)
    volumes += [f"{literal(p)}:{literal(p)}:ro" for p in settings.backup_paths]
    block: dict[str, Any] = {
        "image": image,
        "container_name": name,
        "restart": "unless-stopped",
        "init": True,
        "entrypoint": ["/bin/sh", "/backup/run.sh"],
        "command": ["schedule"],
        "environment": {
            "TZ": "${TZ}",
            "RESTIC_REPOSITORY": literal(config.inside),
            **({PLACE: literal(config.repository)} if config.kind == "local" else {}),
            **config.environment,
        },
        "volumes": volumes,
        "deploy": deploy_of("heavy", host),
        "logging": logging_of(),
        "security_opt": ["no-new-privileges:true"],
        "stop_grace_period": "1m",
        "labels": {CATEGORY: "backup", ENGINE_LABEL: "engine"},
        "healthcheck": {
            "test": ["CMD-SHELL", "pidof crond >/dev/null"],
            "interval": "10s",
            "timeout": "10s",
            "retries": 3,
            "start_period": "10s",
        },
    }
    return block


def key_mounts(config: BackupConfig, *, home: bool = False) -> list[str]:
    """The folders of keys and of an own authority of that kind of repository, as Compose's volumes.

    With ``home`` SSH's is put where SSH looks for it; else the script of backups copies it there, for SSH refuses
    files that belong to the person who put them. rclone writes to its own: tokens that it renews are kept.
    """
    authority = [f"./{CA[0]}:{CA[1]}:ro"] if config.kind in CA[2] and not home else []
    if config.kind not in FOLDERS:
        return authority
    folder, target = FOLDERS[config.kind]
    if folder == "ssh":
        return [f"./{folder}:{'/root/.ssh' if home else target}:ro"]
    return [f"./{folder}:{target}", *authority]


def backrest_config(config: BackupConfig) -> str:
    """Backrest's ``config.json``: the repository to look into, with its clock left to our own script.

    Fields as in garethgeorge/backrest proto/v1/config.proto; ``${NAME}`` is filled in by Backrest from its
    environment (internal/orchestrator/repo/env.go), so the file holds no secret.
    """
    off = {"schedule": {"disabled": True}}
    names = config.environment
    repo = {
        "id": "homelab",
        "uri": config.inside,
        "env": [f"{n}=${{{n}}}" for n in names],
        "autoInitialize": True,
        "prunePolicy": off,
        "checkPolicy": off,
    }
    whole = {"modno": 1, "version": 6, "instance": "homelab", "repos": [repo], "plans": [], "auth": {"disabled": True}}
    return json.dumps(whole, indent=2) + "\n"
