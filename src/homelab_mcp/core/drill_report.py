"""What was seen of each service while a machine's part was taken away, held against what was said before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.survival_standby import Failure

ORDERLY = (
    "A drain is an orderly farewell: it shows that the others carry on, not how long a machine that loses its power is "
    "missed by nobody. `homelab-mcp drill --watch 120` measures that while you pull the plug."
)
BY_HAND = "What happened to the machines meanwhile is yours to say: this only watched."
UNTOUCHED = "What Compose runs on a node is not stopped by a drain, and says nothing here of the machine's loss."


@dataclass(frozen=True, slots=True)
class Seen:
    """One service during the drill.

    Args:
        where: ``stack/service``.
        by: what was asked: an address over HTTPS, or Docker's word alone.
        looks: how often it was looked at.
        longest: seconds of the longest time without it, to the half second or so between looks; 0: never missed.
        at_end: whether it was there at the last look.
    """

    where: str
    by: str
    looks: int
    longest: float
    at_end: bool


def report(seen: Iterable[Seen], predicted: Failure | None, *, orderly: bool) -> dict[str, Any]:
    """``services`` with what was said and seen of each, ``surprises`` in words, ``notes``.

    Args:
        seen: of every service that was there when the drill began.
        predicted: what ``survives`` said of this failure; None where it says nothing of it.
        orderly: whether a node was drained; else somebody did something by hand.
    """
    rows, surprises = [], []
    for one in sorted(seen, key=lambda s: s.where):
        said = _said(one.where, predicted)
        rows.append(
            {
                "service": one.where,
                "said": said,
                "seen": _told(one),
                "by": one.by,
                "longest_gap": round(one.longest, 1),
                "looks": one.looks,
            }
        )
        if said == "goes on" and not one.at_end:
            surprises.append(f"{one.where} was said to go on, and was gone at the end.")
        elif said.startswith("comes back") and not one.at_end:
            surprises.append(f"{one.where} was said to come back with the standby, and was gone at the end.")
        elif said.startswith("stops") and not one.longest:
            surprises.append(f"{one.where} was said to stop, and was there all along.")
    return {"services": rows, "surprises": surprises, "notes": [ORDERLY, UNTOUCHED] if orderly else [BY_HAND]}


def _said(where: str, predicted: Failure | None) -> str:
    if predicted is None:
        return ""
    if where in predicted.returns:
        return f"comes back: {predicted.down[where]}"
    if where in predicted.down:
        return f"stops: {predicted.down[where]}"
    if where in predicted.unknown:
        return f"unknown: {predicted.unknown[where]}"
    return "goes on" if where in predicted.survive else ""


def _told(one: Seen) -> str:
    if not one.at_end:
        return "gone at the end"
    return f"back after {one.longest:.1f} s" if one.longest else "there all along"


class Track:
    """What is known of each service so far; ``look`` adds what one look saw at a moment."""

    def __init__(self, alive: Mapping[str, str], now: float) -> None:
        """``alive``: ``stack/service`` -> by what it is asked, of those that are there at the start."""
        self._by = dict(alive)
        self._last = dict.fromkeys(alive, now)
        self._longest = dict.fromkeys(alive, 0.0)
        self._looks = dict.fromkeys(alive, 0)
        self._missing: set[str] = set()

    def look(self, alive: Iterable[str], now: float) -> None:
        """``alive``: those that were there just now."""
        there = set(alive)
        for where in self._by:
            self._looks[where] += 1
            gap = now - self._last[where]
            if where in there:
                if where in self._missing:
                    self._longest[where] = max(self._longest[where], gap)
                self._missing.discard(where)
                self._last[where] = now
            else:
                self._missing.add(where)
                self._longest[where] = max(self._longest[where], gap)

    def seen(self) -> tuple[Seen, ...]:
        """All of it."""
        return tuple(
            Seen(w, by, self._looks[w], self._longest[w], w not in self._missing) for w, by in self._by.items()
        )
