"""``docker compose config`` as a judge of files that may be hostile: short of time and memory, killed as a group."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from homelab_mcp.adapters.compose_failure import CRASH
from homelab_mcp.adapters.compose_files import GLOBAL_ENV, project_arguments
from homelab_mcp.adapters.compose_program import compose_environment, find_compose
from homelab_mcp.adapters.compose_scratch import in_memory
from homelab_mcp.adapters.process import Finished, Limits, run
from homelab_mcp.model.judgement import Judged, Question
from homelab_mcp.model.lab import COMPOSE_NAMES

SECONDS = 10.0
LIMITS = Limits(cpu_seconds=10, memory=512 * 1024 * 1024)
"""An honest file takes Compose 0.1 s and 40 MB."""

_GRACE = 0.5
_NOISE = re.compile(r"^(time=\S+ level=warning |WARN\[)")


class ComposeJudge:
    """Fulfils ``ports.Judge``.

    Args:
        root: the lab whose ``global.env`` counts for each stack; None: no lab.
        program: Compose itself, such as ``("docker", "compose")``; looked for where it is not given.
        limits: CPU and memory of one answer.
        seconds: wall clock time of one answer.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        program: Sequence[str] | None = None,
        limits: Limits = LIMITS,
        seconds: float = SECONDS,
    ) -> None:
        self._root = Path(root) if root is not None else None
        self._given = tuple(program) if program else None
        self._limits = limits
        self._seconds = seconds

    @cached_property
    def _program(self) -> tuple[str, ...]:
        return self._given or find_compose(compose_environment())

    @cached_property
    def _options(self) -> str:
        return self._run(["config", "--help"], None, self._seconds).output

    def version(self) -> str:
        """See the protocol."""
        done = self._run(["version", "--short"], None, self._seconds)
        return done.output.strip().splitlines()[-1].removeprefix("v") if done.code == 0 and done.output.strip() else ""

    def ask(self, question: Question, *, seconds: float) -> Judged:
        """See the protocol. A question without files is about its text alone."""
        if not question.files:
            with tempfile.TemporaryDirectory(prefix="homelab-judge-") as folder:
                file = Path(folder) / COMPOSE_NAMES[0]
                alone = replace(question, files=(str(file),), without_env=True)
                with in_memory(file, question.text):
                    return self.ask(alone, seconds=seconds)
        first = Path(question.files[0]).absolute()
        env_files = [] if question.without_env else self._env_files(first.parent)
        arguments = project_arguments(question.project, first, question.text, env_files or [os.devnull])
        arguments += [f"--file={Path(f).absolute()}" for f in question.files[1:]]
        arguments += ["config", "--quiet"]
        for wanted, flag in (
            (question.as_written, "--no-interpolate"),
            (question.as_written or question.without_env, "--no-env-resolution"),
        ):
            if wanted and f"{flag} " in self._options:
                arguments.append(flag)
        known = compose_environment() | dict(question.variables)
        done = self._run(arguments, first.parent, min(seconds, self._seconds), known)
        said = "\n".join(line for line in done.output.splitlines() if not _NOISE.match(line))
        # A Go program that runs into its limit dies with a dump of its threads, a killed plugin without a word.
        costly = done.timed_out or done.code < 0 or bool(CRASH.search(said)) or (done.code != 0 and not said.strip())
        return Judged(done.code == 0 and not costly, "" if costly else said, costly)

    def env_texts(self, file: str) -> tuple[str, ...]:
        """See the protocol."""
        places = self._env_files(Path(file).absolute().parent)
        return tuple(Path(place).read_text(encoding="utf-8", errors="replace") for place in places)

    def _env_files(self, folder: Path) -> list[str]:
        shared = [self._root / GLOBAL_ENV] if self._root is not None else []
        # In a lab links are not followed, here as everywhere: they may lead to any file of the host.
        linked = self._root is None
        return [str(p.absolute()) for p in (*shared, folder / ".env") if p.is_file() and (linked or not p.is_symlink())]

    def _run(
        self, arguments: Sequence[str], cwd: Path | None, seconds: float, environment: Mapping[str, str] | None = None
    ) -> Finished:
        return run(
            [*self._program, *arguments],
            cwd=cwd,
            env=environment or compose_environment(),
            timeout=seconds,
            limits=self._limits,
            grace=_GRACE,
        )
