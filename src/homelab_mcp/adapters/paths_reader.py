"""Compose files anywhere on disk, read only."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import COMPOSE_NAMES, OVERRIDE_NAMES, SETTINGS_FILE

MAX_BYTES = 2 * 1024 * 1024
"""What is read of one file at most; no honest compose file comes near."""

MOST_NAMES = 1000
"""How much of a folder is looked at."""

_DEFAULTS = (COMPOSE_NAMES, OVERRIDE_NAMES)


class PathsReader:
    """Fulfils ``queries.validate.ComposeReader`` from the disk. Symbolic links are followed: nothing is written."""

    def compose_files(self, path: str) -> list[tuple[str, ...]]:
        """See the protocol. In a folder of stacks, folders whose name begins with a dot are left out."""
        place = Path(path)
        if place.is_file():
            return [(str(place),)]
        if not place.is_dir():
            raise NotFound(f"There is no file or folder {path!r}.", hint="Check the path.")
        own = _default(place)
        if own:
            return [own]
        folders = sorted(f for f in place.iterdir() if f.is_dir() and not f.name.startswith("."))
        found = [files for folder in folders if (files := _default(folder))]
        if not found:
            raise NotFound(
                f"{path!r} has no compose file, nor has a folder in it.",
                hint=f"Compose's own names are {', '.join(COMPOSE_NAMES)}; name another file itself.",
            )
        return found

    def read(self, file: str) -> str | None:
        """See the protocol. The size is looked at before anything is read."""
        place = Path(file)
        if not place.is_file():
            return None
        try:
            with place.open("rb") as handle:
                # One byte more than allowed tells a file that is too large, whatever stat said a moment ago.
                data = b"" if place.stat().st_size > MAX_BYTES else handle.read(MAX_BYTES + 1)
                too_large = place.stat().st_size > MAX_BYTES or len(data) > MAX_BYTES
        except OSError as error:
            raise InvalidInput(f"{file} cannot be read: {error.strerror}.", code="unreadable") from error
        if too_large:
            raise InvalidInput(f"{file} is larger than {MAX_BYTES // 1024**2} MiB; it is not read.", code="too_large")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{file} is not UTF-8 text (byte {error.start}).", code="not_utf8") from error

    def names(self, folder: str) -> list[str] | None:
        """See the protocol."""
        try:
            with os.scandir(folder) as entries:
                found = (f"{e.name}/" if e.is_dir() else e.name for e in entries)
                return sorted(itertools.islice(found, MOST_NAMES))
        except (OSError, ValueError):
            return None

    def stack_name(self, file: str) -> str:
        """See the protocol."""
        return Path(file).resolve().parent.name

    def exists(self, file: str, path: str) -> bool:
        """See the protocol. What this user may not look at counts as there."""
        try:
            return (Path(file).parent / path).exists()
        except (OSError, ValueError):
            return True

    def env_files(self, file: str) -> list[str]:
        """See the protocol. A lab is a folder with the settings file in it."""
        folder = Path(file).parent
        lab = folder.resolve().parent
        shared = [str(lab / "global.env")] if (lab / SETTINGS_FILE).is_file() else []
        return [*shared, str(folder / ".env")]


def _default(folder: Path) -> tuple[str, ...]:
    """The files Compose takes in this folder when none is named; () where there is none."""
    found = [next((str(folder / n) for n in names if (folder / n).is_file()), "") for names in _DEFAULTS]
    return tuple(f for f in found if f) if found[0] else ()
