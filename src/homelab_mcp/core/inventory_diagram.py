"""The lab as a Mermaid flowchart: what comes in by name, who stands in front, which networks join whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from homelab_mcp.core.access import RouteAccess

if TYPE_CHECKING:
    from homelab_mcp.core.inventory import Entry

MOST = 60
"""Services beyond which a drawing tells nobody anything."""

_ODD = re.compile(r"[^A-Za-z0-9 ._/:-]")


def diagram(known: Sequence[Entry], elsewhere: Iterable[RouteAccess] = ()) -> list[str]:
    """The lines of a fenced Mermaid block; none for an empty lab, a sentence for one too large to draw."""
    if not known:
        return []
    if len(known) > MOST:
        return [f"{len(known)} services: too many to draw."]
    ids = {entry.service.where: f"s{n}" for n, entry in enumerate(known)}
    lines = ["```mermaid", "flowchart LR", "    visitor([visitor])"]
    stacks: dict[str, list[Entry]] = {}
    for entry in known:
        stacks.setdefault(entry.service.stack, []).append(entry)
    for number, (stack, members) in enumerate(stacks.items()):
        lines.append(f'    subgraph g{number} ["{_text(stack)}"]')
        lines += [f'        {ids[e.service.where]}["{_text(e.service.name)}"]' for e in members]
        lines.append("    end")
    for entry in known:
        mine = ids[entry.service.where]
        lines += [f'    visitor -- "{_asked(route)}" --> {mine}' for route in entry.routes]
        lines += [f"    {mine} -. needs .-> {ids[name]}" for name in entry.needs if name in ids]
    for number, route in enumerate(elsewhere):
        lines += [f'    x{number}["{_text(route.where)}"]', f'    visitor -- "{_asked(route)}" --> x{number}']
    lines += _networks(known, ids)
    return [*lines, "```"]


def _networks(known: Sequence[Entry], ids: dict[str, str]) -> list[str]:
    """One node a network that joins several services; a stack's own default network is its box already."""
    members: dict[str, list[str]] = {}
    for entry in known:
        for name in entry.networks:
            if name != "default":
                members.setdefault(name, []).append(ids[entry.service.where])
    lines = []
    for number, (name, joined) in enumerate(sorted(members.items())):
        if len(joined) > 1:
            lines.append(f'    n{number}{{{{"{_text(name)}"}}}}')
            lines += [f"    {one} --- n{number}" for one in joined]
    return lines


def _asked(route: RouteAccess) -> str:
    how = {"bypass": "open", "one_factor": "log-in", "two_factor": "second factor"}[route.policy]
    return f"{_text(route.host)}: {'log-in page' if route.portal else how}"


def _text(text: str) -> str:
    """Text that means nothing to Mermaid."""
    return _ODD.sub("_", text)
