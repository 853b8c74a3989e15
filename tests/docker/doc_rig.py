"""What the tests share that type a page's listings on several machines: the person's shell, her lab, her answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.workflow.init_lab import init_lab
from tests.doc_play import Shell
from tests.docker.lab import PIN

WRITE = (("hosts.yaml? [y/N]", "y"),)
"""She looked at the change of hosts.yaml, and wants it."""

APPROVE = (("Approval PIN", PIN),)
"""She read the plan, and approves."""

SSH_NAME = "nas.lan"
"""The page's name of the other machine, which SSH's configuration knows here too; nothing else does."""


def new_lab(root: Path, **values: object) -> Path:
    """A lab of somebody whose domain is the pages'."""
    init_lab(open_lab(str(root), files_only=True), {"domain": "example.org", **values}, PIN)
    return root


def shell_of(root: Path, meant: Mapping[str, str], *, programs: Path | None = None, engine: str = "") -> Shell:
    """In an empty home folder, with the command.

    Args:
        root: the lab's folder.
        meant: as Shell has it.
        programs: folder of an ``ssh`` and ``scp`` that know the other machine.
        engine: ``DOCKER_HOST`` of the lab's own machine; its usual one by default.
    """
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    found = [str(programs)] if programs else []
    env = {
        "PATH": ":".join([*found, str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),
        "USER": "person",
        "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"],
        "HOMELAB_ROOT": str(root),
    }
    if engine := engine or os.environ.get("DOCKER_HOST", ""):
        env["DOCKER_HOST"] = engine
    return Shell(home, env, dict(meant))
