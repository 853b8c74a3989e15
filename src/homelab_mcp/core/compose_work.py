"""An edit of a compose file while it is made, and what it notes of what it brought along."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NO_FINAL_NEWLINE = "layout:no-final-newline"
NO_GAP = "layout:no-gap"
EMPTY_FLOW = "layout:empty-services"
OWN_FORMS: tuple[Any, ...] = (None, {}, {"external": True}, {"internal": True})
"""Declarations as this project writes them; one that was changed since is the person's own and stays."""


@dataclass(slots=True)
class Work:
    """An edit on its way: the text, what it should mean, and what was brought along."""

    text: str
    data: dict[str, Any]
    record: list[str] = field(default_factory=list)
    inherited: frozenset[str] = frozenset()
    gap: bool = True

    def note(self, token: str, *, added: bool) -> None:
        """Record a token when this edit added it, or when another service's addition did (both may outlive it)."""
        if (added or token in self.inherited) and token not in self.record:
            self.record.append(token)
