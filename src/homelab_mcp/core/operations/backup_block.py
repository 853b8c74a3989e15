"""The container that makes backups, and Backrest's settings beside it, as plain data."""

from __future__ import annotations

import json
from typing import Any

from homelab_mcp.core.backup_config import CA, ENGINE_LABEL, FOLDERS, PLACE, BackupConfig
from homelab_mcp.core.labels import CATEGORY
from homelab_mcp.core.references import literal
from homelab_mcp.core.resources import Host, deploy_of, logging_of
from homelab_mcp.model.lab import LOCAL, LabSettings


def engine_block(
    name: str,
    config: BackupConfig,
    image: str,
    settings: LabSettings,
    root: str,
    host: Host | None,
    *,
    place: str,
    socket: str,
) -> dict[str, Any]:
    """The service that runs restic; arguments as for ``configure_backup``."""
    volumes = [
        f"{literal(root)}:/lab:ro",
        # On another host its files come with the compose files, and it puts restored data in its place.
        "./engine:/backup:ro" if place == LOCAL else f"{literal(root)}:/place",
        "./dumps:/dumps",
        "./restore:/restore",
        "./state:/state",
        f"{literal(socket)}:/var/run/docker.sock:ro",
    ]
    if config.kind == "local":
        volumes.append(f"{literal(config.repository)}:/repository")
    volumes += key_mounts(config)
    if place == LOCAL:
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
