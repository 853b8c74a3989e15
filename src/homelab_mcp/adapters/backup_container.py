"""The backup's script, run in its own container by ``docker exec``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from homelab_mcp.adapters.compose_program import ENGINE_VARIABLES
from homelab_mcp.adapters.process import Finished, read, run
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable

LOAD_SECONDS = 3600.0
LOOK_SECONDS = 10.0
"""How long nothing may be heard before the host is asked for a sign of life."""
LOOKS = 3
"""How many such looks in a row it may miss."""
_LINES = 5_000


class BackupContainer:
    """Fulfils ``ports.Restic``.

    Args:
        container: tells the container's id; raises where there is none that runs.
        reach: what the ``docker`` command needs in its environment to reach the host that the container is on, and
            whether that is there; nothing for this machine.
    """

    def __init__(self, container: Callable[[], str], reach: Callable[[], Mapping[str, str]] = dict) -> None:
        self._container = container
        self._reach = reach

    def run(
        self, words: Sequence[str], *, seconds: float, on_line: Callable[[str], None] | None = None
    ) -> tuple[int, list[str]]:
        """As the port says; the last 5,000 lines are kept.

        Raises EngineUnavailable (``host_silent``) about 30 s after another host was last there. Over SSH ``docker``
        looks after no connection: a cable that is cut would be noticed when all the time for the work is over.
        """
        lines: list[str] = []
        silence = _Silence(self.knock)

        def take(line: str) -> None:
            silence.heard()
            lines.append(line)
            del lines[:-_LINES]
            if on_line is not None:
                on_line(line)

        def follow() -> Finished:
            env = self._environment()
            return run(self._argv(words), timeout=seconds, on_line=take, on_quiet=silence.look, env=env)

        done = _docker(follow)
        if done.timed_out:
            raise EngineFailed(
                f"The backup's script took longer than {seconds:g} seconds.",
                hint="It goes on in its container; see `homelab-mcp backups` later.",
                code="backup_timeout",
            )
        return done.code, lines

    def read(self, words: Sequence[str], *, seconds: float) -> str:
        """As the port says."""
        out = b""

        def ask() -> Finished:
            nonlocal out
            done, out = read(self._argv(words), timeout=seconds, env=self._environment())
            return done

        done = _docker(ask)
        if done.code != 0:
            said = done.output.strip().splitlines()
            raise EngineFailed(
                f"The backup's repository did not answer: {said[-1][:300] if said else f'exit code {done.code}'}",
                hint="See `homelab-mcp backups`; `homelab-mcp backup run` makes the repository where there is none.",
                code="backup_failed",
            )
        return out.decode("utf-8", "replace")

    def knock(self) -> None:
        """As the port says."""
        self._reach()

    def load(self, service: str, file: str) -> None:
        """As the port says."""
        inside = f"/restore/{file.partition('/restore/')[2]}"
        code, lines = self.run(["load", service, inside], seconds=LOAD_SECONDS)
        if code != 0:
            told = [line.removeprefix("PROBLEM ") for line in lines if not line.startswith("STEP ")]
            raise EngineFailed(
                f"The dump could not be loaded into {service}.",
                hint="The details hold what the database said.",
                code="load_failed",
                details={"output": "\n".join(told[-10:])},
            )

    def _environment(self) -> Mapping[str, str] | None:
        reach = self._reach()
        if not reach:
            return None
        # Another host's address must not meet certificates or a context of this machine's.
        return {**{k: v for k, v in os.environ.items() if k not in ENGINE_VARIABLES}, **reach}

    def _argv(self, words: Sequence[str]) -> list[str]:
        return ["docker", "exec", self._container(), "/bin/sh", "/backup/run.sh", *words]


class _Silence:
    """Asks for a sign of life while nothing is heard; ``knock`` raises EngineUnavailable where there is none."""

    def __init__(self, knock: Callable[[], None]) -> None:
        self._knock = knock
        self.heard()

    def heard(self) -> None:
        self._missed, self._next = 0, time.monotonic() + LOOK_SECONDS

    def look(self) -> None:
        """Raises EngineUnavailable, with the same code, where too many looks in a row were missed."""
        if time.monotonic() < self._next:
            return
        missed = self._missed + 1
        try:
            self._knock()
        except EngineUnavailable as error:
            if missed >= LOOKS:
                hint = f"Its run goes on there by itself. {error.hint}".strip()
                raise EngineUnavailable(error.message, hint=hint, code=error.code, details=error.details) from None
        else:
            missed = 0
        self._missed, self._next = missed, time.monotonic() + LOOK_SECONDS


def _docker(ask: Callable[[], Finished]) -> Finished:
    try:
        done = ask()
    except FileNotFoundError:
        raise EngineUnavailable("There is no docker command here.", hint="Install Docker's client.") from None
    if done.code != 0 and "Cannot connect to the Docker daemon" in done.output:
        raise EngineUnavailable("Docker is not running.", hint="Start it with `sudo systemctl start docker`.")
    return done
