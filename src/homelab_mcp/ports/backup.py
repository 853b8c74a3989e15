"""The container that makes backups, asked to do one thing now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Restic(Protocol):
    """Runs the backup's script (``core/backup_script``) in its container.

    Every call raises NotFound (``no_backup``) where the lab has none, EngineFailed (``backup_not_running``) where its
    container does not run, EngineUnavailable where Docker does not answer.
    """

    def run(
        self, words: Sequence[str], *, seconds: float, on_line: Callable[[str], None] | None = None
    ) -> tuple[int, list[str]]:
        """Exit code and lines of ``run.sh WORDS``. Ending this process leaves the script at work."""
        ...

    def read(self, words: Sequence[str], *, seconds: float) -> str:
        """All that ``run.sh WORDS`` prints. Raises EngineFailed (``backup_failed``) when it ends with an error."""
        ...

    def knock(self) -> None:
        """Find out within a second whether its Docker host is there. Raises EngineUnavailable (``host_silent``)."""
        ...

    def load(self, service: str, file: str) -> None:
        """Load a restored dump (its path in the lab) into a database (``stack/service``) that has just begun anew.

        Raises EngineFailed (``load_failed``).
        """
        ...
