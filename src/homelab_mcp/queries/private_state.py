"""Whether what the lab keeps for itself is private: ``.homelab/`` 0700, every file in it 0600."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from homelab_mcp.model.lab import CHECKS_FOLDER, PRIVATE_FOLDER
from homelab_mcp.ports import Lab

_MOST = 3


def loose_state(lab: Lab) -> list[str]:
    """Sentences about what other users could read or change, or belongs to somebody else; empty where all is well."""
    top = Path(lab.root) / PRIVATE_FOLDER
    loose: list[str] = []
    foreign: list[str] = []
    if not top.is_dir():
        return []
    owner = top.lstat().st_uid
    for folder, _, names in os.walk(top, followlinks=False):
        here = Path(folder)
        for path in (here, *(here / name for name in names)):
            try:
                about = path.lstat()
            except FileNotFoundError:
                continue
            shown = path.relative_to(lab.root).as_posix()
            if about.st_uid != owner:
                foreign.append(shown)
            # A link has no mode of its own; in there, links are what a look of Compose's is made of.
            link = stat.S_ISLNK(about.st_mode) and top / CHECKS_FOLDER in path.parents
            if stat.S_IMODE(about.st_mode) & 0o077 and not link and (here, path.name) != (top, ".gitignore"):
                loose.append(shown)
    found = []
    if loose:
        found.append(f"Other users may reach {_named(loose)}.")
    if foreign:
        found.append(f"{_named(foreign)} belongs to another user than {PRIVATE_FOLDER}.")
    return found


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - _MOST} more" if len(paths) > _MOST else ""
    return ", ".join(sorted(paths)[:_MOST]) + more
