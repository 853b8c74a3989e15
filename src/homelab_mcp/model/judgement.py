"""What Compose is asked about a stack's files, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Question:
    """One question to ``docker compose config``.

    Args:
        files: compose files as ``-f`` takes them, first the one whose folder is the project's; absolute, or relative
            to the working folder.
        project: the stack's (folder's) name, for the project name.
        text: the first file's text, which may hold a ``name:`` of its own.
        as_written: judge the text before variables and env files are put in.
        without_env: read no ``.env`` and no ``env_file``; ``variables`` alone count.
        variables: values that win over every env file.
    """

    files: tuple[str, ...]
    project: str
    text: str
    as_written: bool = False
    without_env: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer. ``said`` is Compose's own text, unredacted; ``costly``: time or memory ran out first."""

    accepted: bool
    said: str = ""
    costly: bool = False
