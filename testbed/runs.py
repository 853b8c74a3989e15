"""Which runs of the testbed live, and what a killed one left on the engine.

A run holds a lock on a file of its own for as long as it lives, and notes there the Compose projects it will remove.
The kernel lets go of the lock when the process ends, however it ends: a file that can be locked belongs to a dead run.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self


def home_of_runs() -> Path:
    """The folder of these files, which is the user's own."""
    path = Path(tempfile.gettempdir()) / f"homelab-testbed-{os.getuid()}.runs"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


class RunRecord:
    """The file of one living run.

    Raises:
        BlockingIOError: the run lives, in another process or in this one.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self._path = folder / run_id
        self._file: IO[str] = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise

    def note(self, project: str) -> None:
        """Write down a Compose project before anything of it is made."""
        self._file.write(f"{project}\n")
        self._file.flush()

    def end(self) -> None:
        """The run is over and has removed what it made."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    @classmethod
    def dead(cls, folder: Path) -> Iterator[tuple[str, tuple[str, ...], Self]]:
        """Each dead run with its projects, and the record to `end` once what it left is gone."""
        for path in sorted(folder.iterdir()):
            try:
                record = cls(folder, path.name)
            except BlockingIOError:
                continue
            yield path.name, tuple(path.read_text().split()), record
