"""What a forge signs its calls with, in ``.homelab/webhook.secret``: readable by its owner only, never shown again."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from homelab_mcp.adapters.private import overwrite, private_folder, replace_private
from homelab_mcp.model.errors import StorageFailed, storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER

FILE = "webhook.secret"
SECRET_BYTES = 32


class FileHookSecret:
    """Fulfils ``ports.HookSecret``. An HMAC needs the value itself, so a hash of it, as tokens have, does not do."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).resolve()
        self._path = self._root / PRIVATE_FOLDER / FILE

    def read(self) -> str:
        """The secret; "" where there is none. Raises StorageFailed, also for what is too short to be one of ours."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise storage_failed(error, f"{PRIVATE_FOLDER}/{FILE}") from error
        with os.fdopen(fd, encoding="ascii", errors="replace") as file:
            value = file.read(1024).strip()
        if len(value) < SECRET_BYTES:
            raise StorageFailed(
                f"{PRIVATE_FOLDER}/{FILE} holds no secret.",
                hint="`homelab-mcp git webhook --new` makes one.",
                code="webhook_corrupt",
            )
        return value

    def make(self) -> str:
        """A new secret in the place of any other. Raises StorageFailed."""
        value = secrets.token_urlsafe(SECRET_BYTES)
        private_folder(self._root)
        replace_private(self._path, value + "\n")
        return value

    def remove(self) -> bool:
        """Take it away; whether there was one."""
        there = os.path.lexists(self._path)
        if there:
            overwrite(self._path)
        return there
