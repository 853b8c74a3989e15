"""Which findings a change of the lab brings in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Finding
from homelab_mcp.model.observed import StackFiles

Moved = Mapping[tuple[str, str], str]
"""(compose file, service) as they are now to the compose file in which the service was."""


def brought_in(
    before: Sequence[Finding], after: Sequence[Finding], moved: Mapping[tuple[str, str], str] = {}
) -> tuple[Finding, ...]:
    """The findings after that were not there before, wherever in their file they stood.

    What a ``moved`` service had in its former file it brings along.
    """
    old = Counter(_key(f) for f in before)
    found = []
    for finding in after:
        was = moved.get((finding.file, finding.service))
        keys = [_key(finding)] + ([_key(replace(finding, file=was))] if was else [])
        if known := next((k for k in keys if old[k] > 0), None):
            old[known] -= 1
        else:
            found.append(finding)
    return tuple(found)


def moved_services(before: Sequence[StackFiles], after: Sequence[StackFiles]) -> Moved:
    """Services that went from one compose file to another: gone from one, new in exactly one other."""
    same = {(s.compose_path, s.compose_text) for s in before} & {(s.compose_path, s.compose_text) for s in after}
    old, new = (
        _names([s for s in stacks if (s.compose_path, s.compose_text) not in same]) for stacks in (before, after)
    )
    gone = {n: [p for p, names in old.items() if n in names - new.get(p, set())] for n in set().union(*old.values())}
    come = [(p, n) for p, names in new.items() for n in names - old.get(p, set())]
    once = Counter(n for _, n in come)
    return {(p, n): gone[n][0] for p, n in come if once[n] == 1 and len(gone.get(n, ())) == 1}


def _names(stacks: Sequence[StackFiles]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for stack in stacks:
        try:
            found[stack.compose_path] = set(services_of(read(stack.compose_text)))
        except HomelabError:
            continue
    return found


def _key(finding: Finding) -> tuple[str, str, str, str]:
    return (finding.rule, finding.file, finding.service, finding.message)
