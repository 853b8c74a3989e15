"""Which services go on in which failure, by reason and in names: what a model is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from homelab_mcp.core.survival_standby import Failure
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import check_stack, read_stacks
from homelab_mcp.queries.on_host import in_view
from homelab_mcp.queries.survival import failures, known_of

_NAMES = 30
"""Names of one list; a stack asked for by itself has fewer."""
_HIT = ("unknown", "returns", "data_gone")
_Told = Callable[[str], bool]


def failures_of(lab: Lab, stack: str = "") -> tuple[list[dict[str, Any]], dict[str, int], list[str]]:
    """A row a failure, the smallest first; how many of what; and what was not seen.

    A row has ``failure``, ``goes_on`` (names), ``down`` (reason -> names) and, where there are some, ``unknown`` (the
    same), ``returns`` (of those down, by the standby), ``data_gone`` (no backup holds it) and ``note``.

    Of a lab that is seen through one host the failures, of whatever machine, that take something there down.

    Args:
        lab: the lab.
        stack: only this stack's services.

    Raises:
        NotFound: no such stack, or no lab here.
        InvalidInput: settings that cannot be read.
    """
    whole, mine = lab.whole, in_view(lab)
    stacks = read_stacks(whole.files)
    if stack:
        check_stack(stacks, stack)

    def told(where: str) -> bool:
        return mine(where) and (not stack or where.startswith(f"{stack}/"))

    known = known_of(whole, stacks)
    # Containers of other hosts are not asked: what they would say is of services that are not told.
    rows = [_row(one, told) for one in failures(lab, known)]
    if lab.seen:
        rows = [row for row in rows if not row.keys().isdisjoint(_HIT) or row["down"]]
    services = sum(told(s.where) for s in known.services)
    unread = [name for name in known.unreadable if mine(name)]
    unseen = [f"The files of {name} cannot be read, so its services are missing here." for name in unread]
    return rows, {"services": services, "failures": len(rows)}, unseen


def _row(one: Failure, told: _Told) -> dict[str, Any]:
    row: dict[str, Any] = {
        "failure": one.what,
        "goes_on": _some(one.survive, told),
        "down": _by_reason(one.down, told),
        "unknown": _by_reason(one.unknown, told),
        "returns": _some(one.returns, told),
        "data_gone": _some(one.data_gone, told),
        "note": one.note,
    }
    return {key: value for key, value in row.items() if value or key in ("goes_on", "down")}


def _by_reason(named: Mapping[str, str], told: _Told) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for where, why in named.items():
        if told(where):
            found.setdefault(why, []).append(where)
    return {why: _some(names) for why, names in found.items()}


def _some(names: Iterable[str], told: _Told = lambda name: True) -> list[str]:
    """Those that are told, the first of many, and then how many more there are."""
    found: Collection[str] = [name for name in names if told(name)]
    more = [f"and {len(found) - _NAMES} more"] if len(found) > _NAMES else []
    return [*list(found)[:_NAMES], *more]
