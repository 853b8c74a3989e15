"""A lint or diagnosis result."""

from __future__ import annotations

from dataclasses import dataclass
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
class Finding:
    """One lint result; ``line`` and ``column`` count from 1, 0 where the place is not known."""

    rule: str
    severity: Severity
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    service: str = ""

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
