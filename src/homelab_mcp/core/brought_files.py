"""How to know an override file that this program wrote to bring a service its files on another host."""

from __future__ import annotations

import re

HEAD = "# Written by homelab-mcp from what the lab is; every plan keeps it so. What you add here is lost.\n"
FILES = "HOMELAB_FILES"
"""The variable by which the container's own script tells which files it was made with."""
FILES_LABEL = "homelab.backup.files"
"""The label that says the same to whoever lists containers."""
_MARK = re.compile(rf"^ +{FILES}: \"?(sha256-[0-9a-f]+)\"?$", re.MULTILINE)


def is_brought(text: str | None) -> bool:
    """Whether this program wrote that override file."""
    return (text or "").startswith(HEAD)


def files_mark(text: str | None) -> str:
    """Which files an override file of this program brings, as its container says it; "" where it is none."""
    found = _MARK.search(text or "") if is_brought(text) else None
    return found[1] if found else ""
