"""Starts an apply in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from homelab_mcp.model.lab import PRIVATE_FOLDER


class WorkerProcess:
    """Fulfils ``ports.Worker``: one detached ``homelab_mcp.worker`` process a plan, its messages in a log file."""

    def __init__(self, root: str, *, files_only: bool) -> None:
        self._root = root
        self._files_only = files_only

    def start(self, plan_id: str) -> None:
        """Start the apply and return at once; the plan's status tells how it goes."""
        argv = [sys.executable, "-m", "homelab_mcp.worker", "--root", self._root]
        if self._files_only:
            argv.append("--files-only")
        log = Path(self._root) / PRIVATE_FOLDER / "worker.log"
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "wb") as output:
            child = subprocess.Popen(
                [*argv, "apply", plan_id],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                # Its own session: a client that ends the server must not end the apply with it.
                start_new_session=True,
            )
        # Somebody must wait for it, or its process entry stays; nobody may be kept from ending by it.
        threading.Thread(target=child.wait, name=f"worker {child.pid}", daemon=True).start()
