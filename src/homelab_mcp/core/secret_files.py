"""Which files of a lab git must never hold, by their names."""

from __future__ import annotations

from pathlib import PurePosixPath

from homelab_mcp.core.diff import is_env

ACME_STORES = ("acme.json", "acme-staging.json")
"""Traefik's stores of certificates, which it writes itself; the second is the staging CA's."""

NOTIFY_FILE = "notify_url"
"""Where Alertmanager sends alerts: whoever has the address can write to it, and often read."""

SECRET_NAMES = frozenset({*ACME_STORES, "users_database.yml", NOTIFY_FILE})
"""Certificates with their keys (Traefik), people with their password hashes (Authelia), where alerts go."""

KEY_FILES = ("id_ecdsa", "id_ed25519", "id_rsa", "rclone.conf")
"""What a person puts beside the backup's stack (SSH keys, rclone's remotes): git is told to leave them out as well."""

KEY_FOLDERS = ("ssh", "rclone")
"""Folders of the backup's stack for them; nothing in there goes into git, as a key may have any name."""

BACKUP_FILE = "backup.yaml"
"""A stack that has it makes the lab's backups."""

BACKUP_STACK = "backup"
"""What that stack is called unless a person wants another name."""

_TEMPORARY = ".homelab-tmp"


def is_secret_file(path: str) -> bool:
    """Whether a file's content is kept out of git and shown nowhere."""
    name = PurePosixPath(path).name
    return not name.endswith(_TEMPORARY) and (is_env(name) or name in SECRET_NAMES)
