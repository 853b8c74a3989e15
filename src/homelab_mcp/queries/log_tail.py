"""The last lines of one container that are wanted, in bounded memory and time, whatever the log's size.

What the engine sends is held as it comes, within a :class:`Ring`. Masking costs the time (about 6 MB/s), so it goes
from the newest line back, a batch at a time, and stops where enough was found or time is up; a cursor goes on there.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

from homelab_mcp.core import log_lines
from homelab_mcp.core.log_entries import MOST_PARTS, chosen, joined
from homelab_mcp.core.log_lines import LogLine, Place, Ring
from homelab_mcp.core.redact import Redactor, clean
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.ports import LogSource, Meter

SEARCHED_LINES = 20_000
SECONDS = 1.3
"""For the masking and matching of all containers of one call; the first batch of each is always looked at."""
READ_SECONDS = 10.0
BATCH_LINES, BATCH_CHARS = 1_000, 512_000
AROUND_LINES, AROUND_CHARS = 400, 65_536
"""What is masked with a batch on either side, for what spans lines: more than a private key has."""
KEPT_CHARS = 256_000
"""Of one container's lines, at most: many times what an answer shows."""
SAME_MICROSECOND = 100

Raw = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of each log; ``end`` is when masking stops, by the monotonic clock.

    ``least`` is the level that entries must have, ``context`` how many lines around what matches are wanted too.
    ``needle`` is a word that is in every line that matches (see ``core.log_needle``): with it the whole log is searched
    where its end has too little, for ``scan_seconds``.
    """

    tail: int
    since: float | None
    until: float | None
    place: Place | None
    matches: Callable[[str], bool]
    searching: bool
    redactor: Callable[[], Redactor]
    end: float
    least: str = ""
    context: int = 0
    needle: tuple[str, bool] = ("", False)
    scan_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Tail:
    """One log's lines, oldest first; ``older`` when there may be more before ``reached``, a line's time."""

    lines: list[LogLine]
    older: bool
    reached: str
    scanned: str = ""
    """Set where time was up: searched were the log's beginning to that moment, and its end from ``reached`` on."""


def tail_from(source: LogSource, name: str, wanted: Wanted) -> Tail:
    """The last lines of one log that are wanted, under that name. Raises what the source raises."""
    searching = wanted.searching or bool(wanted.least)
    asked = SEARCHED_LINES if searching else wanted.tail + MOST_PARTS + (wanted.place.shown if wanted.place else 0)
    until = wanted.until
    if wanted.place is not None:
        # A float holds no nanoseconds: the few lines of that microsecond that are too late are cut by text.
        until = min(log_lines.seconds_of(wanted.place.time), until or float("inf"))
        asked += SAME_MICROSECOND
    ring, seen = Ring(asked), 0
    stop = time.monotonic() + READ_SECONDS
    stream = source(tail=asked, since=wanted.since, until=until)
    with closing(cast("Any", stream)):
        for when, kind, text in stream:
            seen += 1
            if wanted.place is None or when <= wanted.place.time:
                ring.append((when, kind, log_lines.cut(text)))
            if seen % BATCH_LINES == 0 and time.monotonic() > stop:
                break
    return _sifted(ring.lines(), name, wanted, more=seen >= asked or ring.dropped)


def further(meter: Meter, container: ContainerState, wanted: Wanted, found: Tail) -> Tail:
    """What the rest of the log has, where its end had fewer matches than are wanted; ``found`` itself otherwise.

    Raises EngineUnavailable, EngineFailed.
    """
    word, fold = wanted.needle
    if not word or not found.older or len(found.lines) >= wanted.tail or not wanted.scan_seconds:
        return found
    stop = time.monotonic() + wanted.scan_seconds
    name = shown_name(container.service)
    kept: deque[LogLine] = deque(maxlen=wanted.tail - len(found.lines) + MOST_PARTS)
    until = log_lines.seconds_of(found.reached)
    search = meter.search(container.id, word, fold=fold, since=wanted.since, until=until)
    with closing(cast("Any", search)):
        for stretch in search:
            raw = [(when, kind, log_lines.cut(text)) for when, kind, text in stretch.lines]
            here = stretch.end
            # The engine's own end is a float's: what the first look saw is not told twice.
            while here > stretch.start and raw[here - 1][0] >= found.reached:
                here -= 1
            plain = [n for n in range(stretch.start, here) if _has(raw[n][2], word, fold=fold)]
            for first, last in _runs(plain, wanted.context):
                kept.extend(matching(raw, max(first, stretch.start), min(last, here), name, wanted))
            if time.monotonic() > stop:
                lines = [*kept, *found.lines]
                return Tail(lines, True, found.reached, raw[-1][0] if raw else found.reached)
    room = wanted.tail - len(found.lines)
    lines = [*list(kept)[-room:], *found.lines] if len(kept) > room else [*kept, *found.lines]
    return Tail(lines, len(kept) > room, lines[0].time if lines else found.reached)


def _has(text: str, word: str, *, fold: bool) -> bool:
    text = clean(text) if "\x1b" in text else text
    return word in (text.lower() if fold else text)


def _runs(places: Sequence[int], context: int) -> list[tuple[int, int]]:
    """Places in stretches that are masked together: what is near each other, with room for what belongs to it."""
    reach = max(context, MOST_PARTS)
    found: list[tuple[int, int]] = []
    for place in places:
        if found and place - reach <= found[-1][1] and place - found[-1][0] < BATCH_LINES:
            found[-1] = (found[-1][0], place + reach)
        else:
            found.append((max(place - reach, found[-1][1] if found else 0), place + reach))
    return found


def shown_name(service: str) -> str:
    """A service's name as it is shown: it is a label's text, which whoever made the container chose."""
    return " ".join(clean(service).split())[:80]


def _sifted(raw: Sequence[Raw], name: str, wanted: Wanted, *, more: bool) -> Tail:
    """The lines that match, masked; ``more``: there may be lines before the first of these."""
    kept: deque[LogLine] = deque()
    chars, end = 0, len(raw)
    while end > 0:
        start = _back(raw, end, BATCH_LINES, BATCH_CHARS)
        for line in reversed(matching(raw, start, end, name, wanted)):
            full = len(kept) >= wanted.tail or (chars and chars + len(line.text) > KEPT_CHARS)
            if full and not kept[0].part:
                return Tail(list(kept), True, kept[0].time)
            kept.appendleft(line)
            chars += len(line.text)
        end = start
        if end and len(kept) >= wanted.tail and not kept[0].part:
            return Tail(list(kept), True, kept[0].time)
        if end and time.monotonic() > wanted.end:
            return Tail(list(kept), True, raw[end][0])
    return Tail(list(kept), more, raw[0][0] if raw else "")


def matching(raw: Sequence[Raw], start: int, end: int, name: str, wanted: Wanted) -> list[LogLine]:
    """Those of the raw lines from ``start`` to ``end`` that are wanted, masked, by a look also around them."""
    first = _back(raw, start, AROUND_LINES, AROUND_CHARS)
    last = _on(raw, end, AROUND_LINES, AROUND_CHARS)
    window = [LogLine(when, name, kind, text) for when, kind, text in raw[first:last]]
    # Matched as masked: otherwise a pattern could ask, letter by letter, what a secret is.
    numbered = log_lines.masked(window, wanted.redactor().safe, secrets.token_hex(8))
    lines = joined([line for _, line in numbered])
    if wanted.searching or wanted.least:
        marks = chosen(lines, wanted.matches, wanted.least, wanted.context)
    else:
        marks = [True] * len(lines)
    here = range(start - first, end - first)
    return [line for (place, _), line, mark in zip(numbered, lines, marks, strict=True) if mark and place in here]


def _back(raw: Sequence[Raw], end: int, lines: int, chars: int) -> int:
    """Where a stretch begins that ends there and holds at most so much (one line at least, where there is one)."""
    start = end
    while start > 0 and end - start < lines and (chars > 0 or start == end):
        start -= 1
        chars -= len(raw[start][2])
    return start


def _on(raw: Sequence[Raw], start: int, lines: int, chars: int) -> int:
    end = start
    while end < len(raw) and end - start < lines and chars > 0:
        chars -= len(raw[end][2])
        end += 1
    return end
