"""New passwords on their way to a person: one file each in ``.homelab/passwords``, gone once it was shown."""

from __future__ import annotations

import contextlib
from pathlib import Path

from homelab_mcp.adapters.private import private_folder, write_private
from homelab_mcp.core.users_file import check_name
from homelab_mcp.model.errors import storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER

_FOLDER = "passwords"


class FileHandover:
    """Fulfils ``ports.Handover``: mode 0600, in a folder that git never sees."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).resolve()

    def leave(self, user: str, password: str) -> str:
        """Keep a new password for its person; where it is, relative to the lab's root. An older one is replaced."""
        check_name(user)
        try:
            write_private(private_folder(self._root, _FOLDER) / user, f"{password}\n")
        except OSError as error:
            raise storage_failed(error, "The password's file") from error
        return f"{PRIVATE_FOLDER}/{_FOLDER}/{user}"

    def take(self, user: str) -> str | None:
        """The password, for the one time that it is shown; None where none waits."""
        check_name(user)
        path = private_folder(self._root, _FOLDER) / user
        if path.is_symlink() or not path.is_file():
            return None
        text = path.read_text(encoding="utf-8").rstrip("\n")
        path.unlink()
        return text

    def forget(self, user: str) -> None:
        """Let go of a password that nobody will use."""
        with contextlib.suppress(OSError):
            self.take(user)
