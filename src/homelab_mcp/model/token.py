"""Bearer tokens of HTTP clients, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token lets its client call; none holds another, so each is given by name."""

    READ = "read"
    """Tools that look."""

    PLAN = "plan"
    """Tools that make plans; a plan changes nothing."""

    APPLY = "apply"
    """``apply_plan``. The approval is still a person's."""


ALL_SCOPES = tuple(Scope)

STATIC = "static"
"""The name of the token that is given at start (HOMELAB_HTTP_TOKEN, ``--token-file``) rather than kept."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is known after its making; its value is not.

    Args:
        name: what a person calls the client that has it; policy rules match it as ``token:NAME``.
        id: random and never used twice, so that a new token of an old name is another token.
        scopes: what it lets its client call, in ``Scope``'s order.
        created: Unix seconds.
        expires: Unix seconds; 0 for never.
        used: Unix seconds of some use within the last hour before its last; 0 for never.
    """

    name: str
    id: str
    scopes: tuple[Scope, ...]
    created: float
    expires: float = 0.0
    used: float = 0.0

    def expired(self, now: float) -> bool:
        """Whether its time is over at that Unix time."""
        return bool(self.expires) and now >= self.expires
