"""A linter that finds nothing, for tests of what comes after."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from homelab_mcp.model.finding import Finding
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import FileEdit
from homelab_mcp.workflow.judging import Known


def unjudged(
    stacks: Sequence[StackFiles], networks: Collection[str], edits: Sequence[FileEdit], *, since: Known | None = None
) -> Sequence[Finding]:
    """No finding, whatever the lab is."""
    return ()
