"""Work in a child process that is killed at a chosen touch of the disk."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

TOUCHES = frozenset(
    {
        *("open", "fdopen", "write", "pwrite", "rename", "replace", "unlink", "remove", "mkdir", "rmdir", "fsync"),
        *("ftruncate", "fchmod", "chmod", "fchown", "close", "link"),
    }
)


def killed_after(touches: int, work: Callable[[], object]) -> bool:
    """Run the work in a child that kills itself at the nth call or return of a disk function; whether it got there."""
    child = os.fork()
    if child == 0:
        left = touches

        def count(_frame: FrameType, event: str, arg: Any) -> None:
            nonlocal left
            if event in {"c_call", "c_return"} and getattr(arg, "__name__", "") in TOUCHES:
                left -= 1
                if left <= 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
