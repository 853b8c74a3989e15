"""Git directories at hand, by the repository that they are a copy of."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def git(where: Path, *words: str) -> str:
    """What git prints for a git directory; "" where it fails or finds nothing."""
    command = ["git", f"--git-dir={where}", *words]
    return subprocess.run(command, capture_output=True, check=False).stdout.decode("utf-8", "replace")


def repositories(folder: Path) -> dict[str, Path]:
    """Git directories below a folder, by ``owner/name`` as a folder ``owner+name`` around it or its remote says."""
    found = {}
    for head in sorted(folder.glob("**/HEAD")):
        where = head.parent
        if not (where / "objects").is_dir():
            continue
        remote = git(where, "config", "--get", "remote.origin.url").strip()
        name = re.sub(r"^.*[:/]([^/:]+/[^/]+?)(\.git)?/?$", r"\1", remote)
        found[next((p.replace("+", "/", 1) for p in reversed(where.parts) if "+" in p), name)] = where
    return found
