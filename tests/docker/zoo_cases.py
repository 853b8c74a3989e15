"""The cases of ``tests/zoo`` as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "zoo"
OURS = "x-homelab"
"""The part of a task file that is this zoo's own; a harness passes over it."""
EDGE = "edge"
"""The stack with Traefik, which every lab of the zoo has."""


@dataclass
class Exhibit:
    """One broken service: its folder's name and its task, placeholders filled in."""

    name: str
    stack: str
    task: dict[str, Any]
    compose: str
    causes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def service(self) -> str:
        """The service that is asked about."""
        return str(self.task["service"])


def case_names() -> list[str]:
    """The names of all cases: every folder is one."""
    return sorted(p.name for p in FOLDER.iterdir() if p.is_dir())


def task_file(name: str) -> Path:
    """The file that says all there is to say of a case."""
    return FOLDER / name / f"{name}.yaml"


def with_companions(name: str) -> tuple[str, ...]:
    """The case, and those whose stacks it needs beside it."""
    task = yaml.safe_load(task_file(name).read_text())[OURS]
    return (name, *task.get("with", ()))


def stack_of(name: str, run: str) -> str:
    """The stack, and so the Compose project, of a case in one run."""
    return f"{name}-{run}"


def read_cases(words: Mapping[str, str], names: Iterable[str]) -> Iterator[Exhibit]:
    """The cases of those names, each ``@WORD@`` filled in."""

    def filled(path: Path) -> str:
        return re.sub(r"@([A-Z0-9]+)@", lambda m: words.get(m[1], m[0]), path.read_text())

    for name in names:
        task = yaml.safe_load(filled(task_file(name)))[OURS]
        yield Exhibit(name, stack_of(name, words["RUN"]), task, filled(FOLDER / name / "artifacts" / "compose.yaml"))
