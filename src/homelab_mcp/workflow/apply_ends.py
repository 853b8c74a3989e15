"""What cuts an apply short, and the words and code that it is told by."""

from __future__ import annotations

from collections.abc import Sequence

from homelab_mcp.core.redact import safe
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Evidence
from homelab_mcp.workflow.plan_facts import masked


class Stopped(Exception):
    """The process was asked to end; the apply goes back."""


class NotVerified(Exception):
    """What was applied does not hold; ``evidence`` says what was seen."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        super().__init__(next((e.what for e in evidence if not e.ok), "not verified"))
        self.evidence = tuple(evidence)


def told(error: Exception, secrets: Sequence[str]) -> tuple[str, str, tuple[Evidence, ...]]:
    """An error as (sentence, code, evidence), without secrets."""
    if isinstance(error, NotVerified):
        return safe(str(error), secrets), "not_verified", masked(error.evidence, secrets)
    if isinstance(error, Stopped):
        return "The server was stopped during the apply.", "stopped", ()
    if isinstance(error, HomelabError):
        output = safe(str(error.details.get("output", "")), secrets)
        seen = (Evidence(safe(error.message, secrets), ok=False, detail=output),)
        return safe(error.as_text(), secrets), error.code, seen
    if isinstance(error, OSError):
        return f"A file operation failed: {error.strerror or type(error).__name__}.", "file_error", ()
    return safe(f"Unexpected {type(error).__name__}: {error}", secrets), "internal_error", ()
