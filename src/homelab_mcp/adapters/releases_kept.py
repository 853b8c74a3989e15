"""What was learnt of releases, kept for some hours: ``.homelab/releases.json``. No word of any release is in it."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.private import private_folder, write_private
from homelab_mcp.core.release_notes import Releases, Source, releases_from, releases_to
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import PRIVATE_FOLDER

NAME = "releases.json"
KEEP_SECONDS = 6 * 3600.0
"""An hour has 60 requests, and a lab may have more services than that."""

_MOST = 500
_MOST_BYTES = 8 * 1024 * 1024


class KeptReleases:
    """Answers by project, and pauses by host. What cannot be read or written is asked again, and is no error."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._guard = threading.Lock()

    def get(self, source: Source) -> Releases | None:
        """What was learnt, unless that was too long ago."""
        row = self._read()["projects"].get(_key(source))
        if not isinstance(row, dict) or not _fresh(row.get("at"), KEEP_SECONDS):
            return None
        return releases_from(row)

    def put(self, source: Source, found: Releases) -> None:
        """Keep an answer."""
        with self._guard:
            data = self._read()
            projects = {k: v for k, v in data["projects"].items() if _fresh(v.get("at"), KEEP_SECONDS)}
            projects[_key(source)] = {"at": time.time(), **releases_to(found)}
            newest = sorted(projects.items(), key=lambda one: -one[1]["at"])[:_MOST]
            self._write({**data, "projects": dict(newest)})

    def pause(self, host: str) -> float:
        """Seconds for which this host is not to be asked."""
        until = self._read()["pauses"].get(host)
        # A clock that was set back must not silence a host for years.
        return until - time.time() if isinstance(until, float) and _fresh(until - 3600.0, 3601.0) else 0.0

    def rest(self, host: str, seconds: float) -> None:
        """Do not ask this host for so long, 3600 at most."""
        with self._guard:
            data = self._read()
            self._write({**data, "pauses": {**data["pauses"], host: time.time() + seconds}})

    def _read(self) -> dict[str, dict[str, Any]]:
        found: Any = None
        with contextlib.suppress(OSError, ValueError):
            fd = os.open(self._root / PRIVATE_FOLDER / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                found = json.loads(file.read(_MOST_BYTES))
        found = found if isinstance(found, dict) else {}
        return {k: _rows(found.get(k), float if k == "pauses" else dict) for k in ("projects", "pauses")}

    def _write(self, data: dict[str, dict[str, Any]]) -> None:
        with contextlib.suppress(OSError, HomelabError):
            write_private(private_folder(self._root) / NAME, json.dumps(data, separators=(",", ":")))


def _rows(found: Any, kind: type) -> dict[str, Any]:
    return {k: v for k, v in found.items() if isinstance(v, kind)} if isinstance(found, dict) else {}


def _fresh(at: Any, seconds: float) -> bool:
    return isinstance(at, float) and -5.0 <= time.time() - at <= seconds


def _key(source: Source) -> str:
    return f"{source.host}/{source.path}"
