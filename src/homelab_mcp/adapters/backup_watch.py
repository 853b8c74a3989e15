"""The backup's script on another host, given up once that host falls silent: the work there goes on by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

from homelab_mcp.model.errors import EngineUnavailable
from homelab_mcp.ports import Restic

LOOK_SECONDS = 10.0
"""How long nothing may be heard before the host is asked for a sign of life."""
LOOKS = 3
"""How many such looks in a row it may miss."""

T = TypeVar("T")


class WatchedBackup:
    """Fulfils ``ports.Restic`` for another Docker host.

    ``docker`` over SSH looks after no connection: a cable that is cut would be noticed when the whole time that the
    work may take is over. EngineUnavailable (``host_silent``) is raised about 30 s after the host was last there.

    Args:
        there: that host's.
    """

    def __init__(self, there: Restic) -> None:
        self._there = there

    def run(
        self, words: Sequence[str], *, seconds: float, on_line: Callable[[str], None] | None = None
    ) -> tuple[int, list[str]]:
        """As the port says; lines are told from the caller's own thread."""
        return self._watched(lambda tell: self._there.run(words, seconds=seconds, on_line=tell), on_line)

    def read(self, words: Sequence[str], *, seconds: float) -> str:
        """As the port says: it is short, and has its own end."""
        return self._there.read(words, seconds=seconds)

    def knock(self) -> None:
        """As the port says."""
        self._there.knock()

    def load(self, service: str, file: str) -> None:
        """As the port says."""
        self._watched(lambda _: self._there.load(service, file), None)

    def _watched(self, work: Callable[[Callable[[str], None]], T], hear: Callable[[str], None] | None) -> T:
        told: SimpleQueue[str | Future[T]] = SimpleQueue()

        def at_work() -> None:
            future: Future[T] = Future()
            try:
                future.set_result(work(told.put))
            except Exception as error:  # noqa: BLE001 - raised in the caller's thread
                future.set_exception(error)
            told.put(future)

        threading.Thread(target=at_work, name="backup elsewhere", daemon=True).start()
        missed = 0
        while True:
            try:
                one = told.get(timeout=LOOK_SECONDS)
            except Empty:
                missed = self._missed(missed)
                continue
            missed = 0
            if isinstance(one, Future):
                return one.result()
            if hear is not None:
                hear(one)

    def _missed(self, before: int) -> int:
        """How many looks in a row were missed by now. Raises EngineUnavailable where that is too many."""
        try:
            self._there.knock()
        except EngineUnavailable as error:
            if before + 1 < LOOKS:
                return before + 1
            hint = f"Its run goes on there by itself. {error.hint}".strip()
            raise EngineUnavailable(error.message, hint=hint, code=error.code, details=error.details) from None
        return 0
