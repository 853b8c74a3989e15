"""Which findings a change of the lab brings in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from homelab_mcp.model.finding import Finding


def brought_in(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings after that were not there before, wherever in their file they stood."""
    old = Counter(_key(f) for f in before)
    found = []
    for finding in after:
        if old[_key(finding)] > 0:
            old[_key(finding)] -= 1
        else:
            found.append(finding)
    return tuple(found)


def _key(finding: Finding) -> tuple[str, str, str, str]:
    return (finding.rule, finding.file, finding.service, finding.message)
