"""Being asked to end, while a step is at work that must not be cut short."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noted(on_stop: Callable[[], None]) -> Iterator[None]:
    """Call ``on_stop`` at SIGTERM and SIGINT instead of dying by them; the step at work is finished first.

    Only a process's main thread may set handlers; in another one nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        on_stop()

    old = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
