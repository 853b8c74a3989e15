"""The newest of many records, without reading those that cannot be among them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import TypeVar

from homelab_mcp.model.errors import HomelabError

Row = TypeVar("Row")

SLACK = 3_600.0
"""Seconds by which the clock that dates folders (a file server's) may be behind the one that records are dated by."""


def newest(
    dated: Iterable[tuple[float, str]],
    read: Callable[[str], Row | None],
    when: Callable[[Row], float],
    limit: int,
) -> list[Row]:
    """The rows that are newest by ``when``, the newest first.

    A record's folder is touched by each write, so it is never older than what the record says. Where folders are newer,
    such as those of a copy, more is read, and the answer is the same. One that is older all the same was dated by
    something else (an archive that was unpacked), and then all are read.

    Args:
        dated: Unix time at which the record's folder changed last and the record's name; the newest first.
        read: the row of a name; None, a HomelabError or FileNotFoundError where there is none to be had.
        when: the row's own time.
        limit: how many.
    """
    if limit < 1:
        return []
    found: list[Row] = []
    best: list[float] = []  # a heap of the newest times so far: its first is what a further row has to beat
    trusted = True
    for touched, name in dated:
        if trusted and len(best) == limit and best[0] > touched + SLACK:
            break
        try:
            row = read(name)
        except (HomelabError, FileNotFoundError):
            continue
        if row is not None:
            trusted = trusted and when(row) <= touched + SLACK
            found.append(row)
            (heapq.heappush if len(best) < limit else heapq.heappushpop)(best, when(row))
    return sorted(found, key=lambda row: -when(row))[:limit]
