"""A lint or diagnosis result."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a finding is.

    error: Compose or Docker will refuse it, or it cannot work. warning: works but hurts. info: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class TextEdit:
    """One replacement in a file; lines and columns count from 1 in characters, the end is exclusive.

    Start and end at one place insert; an empty ``text`` removes.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that settles a finding: what it does in a few words, and the edits.

    ``safe`` fixes keep what the file means (or what it can only have meant) and are applied without asking for each;
    the others are suggestions that a person chooses. ``reader`` is (stack, service) where the edits are of a file
    beside the compose files, which that service reads only when it starts.
    """

    title: str
    edits: tuple[TextEdit, ...]
    safe: bool = True
    reader: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One lint result; ``line`` and ``column`` count from 1, 0 where the place is not known.

    ``fix`` is set only where fixes were asked for and there is one.
    """

    rule: str
    severity: Severity
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    service: str = ""
    fix: Fix | None = field(default=None, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The finding in the fixed JSON shape of ``validate --json``."""
        return {
            "rule": self.rule,
            "severity": str(self.severity),
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "service": self.service,
            "message": self.message,
        }

    def as_line(self) -> str:
        """The finding as one line of text: ``file:line:column severity rule [service] message``."""
        place = f"{self.file}:{self.line}:{self.column}" if self.file else "-"
        who = f" [{self.service}]" if self.service else ""
        return f"{place} {self.severity} {self.rule}{who} {self.message}"
