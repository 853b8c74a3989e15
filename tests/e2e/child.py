"""A program of others that listens on loopback: started, waited for, ended. Its log tells why it does not come up."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx


@contextmanager
def listening(argv: Sequence[str], url: str, log: Path, env: Mapping[str, str], *, within: float) -> Iterator[None]:
    """Run a program in the folder of its ``log`` until the block ends. ``url`` answers 200 once it is up.

    Raises AssertionError with the end of the log where that takes more than ``within`` seconds, or it ended before.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, env=dict(env), cwd=log.parent, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            end = time.monotonic() + within
            while not _answers(url):
                late = process.poll() is not None or time.monotonic() >= end
                assert not late, log.read_text("utf-8", "replace")[-3000:]
                time.sleep(0.3)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
