"""A worker with a named point before and after every step that changes something.

``python -m tests.failpoints --root DIR apply PLAN_ID`` applies a plan as the project's own worker does, with each part
of the lab behind a proxy. The program itself knows nothing of it. A point is called by its part, its step and its turn
("before compose.up 2"); what happens there is in the environment:

HOMELAB_POINTS   a file that is given every point's name, one a line
HOMELAB_AT       the point where it happens
HOMELAB_THEN     ``die`` (SIGKILL), or ``hold FILE``: make FILE and go on once it is gone again
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from homelab_mcp import worker
from homelab_mcp.bootstrap import LocalLab

STEPS = {
    "files": ("write_atomic", "remove", "make_folder", "remove_empty_folders", "sweep_temporary"),
    "data": ("move", "give"),
    "history": ("commit",),
    "journal": ("append",),
    "plans": ("save_undo", "reserve", "consume", "set_status", "release"),
    "engine": ("create_network", "remove_network", "sweep_renamed", "sweep_networks"),
    "compose": ("pull", "up", "remove", "down", "restart", "stop", "create"),
}


class Points:
    """What happens at which point."""

    def __init__(self, at: Callable[[str], None]) -> None:
        self._at = at
        self._turns: Counter[str] = Counter()

    def around(self, step: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call with a point before and one after it."""

        def pointed(*args: Any, **options: Any) -> Any:
            self._turns[step] += 1
            name = f"{step} {self._turns[step]}"
            self._at(f"before {name}")
            answer = call(*args, **options)
            self._at(f"after {name}")
            return answer

        return pointed

    def behind(self, part: str, real: Any) -> Any:
        """The part with its steps pointed."""
        return Pointed(self, part, real)


class Pointed:
    """One part of a lab."""

    def __init__(self, points: Points, part: str, real: Any) -> None:
        self._points, self._part, self._real = points, part, real

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return self._points.around(f"{self._part}.{name}", found) if name in STEPS[self._part] else found


def by_environment(point: str) -> None:
    """Do what the environment asks for at this point."""
    if log := os.environ.get("HOMELAB_POINTS"):
        with Path(log).open("a") as file:
            file.write(point + "\n")
    if point != os.environ.get("HOMELAB_AT"):
        return
    what, _, argument = os.environ["HOMELAB_THEN"].partition(" ")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    held = Path(argument)
    held.touch()
    while held.exists():
        time.sleep(0.02)


def pointed_lab(root: str, at: Callable[[str], None], *, files_only: bool = False) -> LocalLab:
    """The lab with every part behind a proxy."""
    lab, points = LocalLab(root, files_only=files_only), Points(at)
    for part in STEPS:
        lab.__dict__[part] = points.behind(part, getattr(LocalLab(root, files_only=files_only), part))
    return lab


def main() -> int:
    """The worker, pointed."""
    worker.open_lab = lambda root, *, files_only=False: pointed_lab(root, by_environment, files_only=files_only)  # type: ignore[attr-defined] # the one place where it gets its parts
    return worker.main(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
