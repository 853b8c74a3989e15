"""Which services go on in which failure, by reason and in names: what a model is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from homelab_mcp.core.survival_standby import Failure
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import check_stack, read_stacks
from homelab_mcp.queries.survival import failures, known_of

_NAMES = 30
"""Names of one list; a stack asked for by itself has fewer."""


def failures_of(lab: Lab, stack: str = "") -> tuple[list[dict[str, Any]], dict[str, int], list[str]]:
    """A row a failure, the smallest first; how many of what; and what was not seen.

    A row has ``failure``, ``goes_on`` (names), ``down`` (reason -> names) and, where there are some, ``unknown`` (the
    same), ``returns`` (of those down, by the standby), ``data_gone`` (no backup holds it) and ``note``.

    Args:
        lab: the lab.
        stack: only this stack's services.

    Raises:
        NotFound: no such stack, or no lab here.
        InvalidInput: settings that cannot be read.
    """
    stacks = read_stacks(lab.files)
    if stack:
        check_stack(stacks, stack)
    known = known_of(lab, stacks)
    rows = [_row(one, f"{stack}/" if stack else "") for one in failures(lab, known)]
    services = sum(not stack or s.stack == stack for s in known.services)
    unseen = [f"The files of {name} cannot be read, so its services are missing here." for name in known.unreadable]
    return rows, {"services": services, "failures": len(rows)}, unseen


def _row(one: Failure, prefix: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "failure": one.what,
        "goes_on": _some(one.survive, prefix),
        "down": _by_reason(one.down, prefix),
        "unknown": _by_reason(one.unknown, prefix),
        "returns": _some(one.returns, prefix),
        "data_gone": _some(one.data_gone, prefix),
        "note": one.note,
    }
    return {key: value for key, value in row.items() if value or key in ("goes_on", "down")}


def _by_reason(named: Mapping[str, str], prefix: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for where, why in named.items():
        if where.startswith(prefix):
            found.setdefault(why, []).append(where)
    return {why: _some(names) for why, names in found.items()}


def _some(names: Iterable[str], prefix: str = "") -> list[str]:
    """Those of the prefix, the first of many, and then how many more there are."""
    found: Collection[str] = [name for name in names if name.startswith(prefix)]
    more = [f"and {len(found) - _NAMES} more"] if len(found) > _NAMES else []
    return [*list(found)[:_NAMES], *more]
