"""Puts instructions for AI tools into a lab's repository."""

from __future__ import annotations

import posixpath

from homelab_mcp.core.agents_page import agents_pages
from homelab_mcp.ports import Lab


def write_agents(lab: Lab) -> tuple[str, ...]:
    """Write and commit those of the files that are not there; a person's own are left as they are. The new ones' paths.

    Raises:
        NotFound, InvalidInput: there is no lab, or its settings cannot be read.
        StorageFailed: a file could not be written.
    """
    made = []
    for path, text in agents_pages(lab.settings).items():
        if lab.files.read(path) is None:
            if folder := posixpath.dirname(path):
                lab.files.make_folder(folder)
            lab.files.write_atomic(path, text, 0o644)
            made.append(path)
    if made:
        lab.history.commit(made, "Tell AI tools how this lab is worked on")
    return tuple(made)
