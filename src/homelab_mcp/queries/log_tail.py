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
from homelab_mcp.core.log_lines import LogLine, Place, Ring
from homelab_mcp.core.redact import Redactor, clean
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.ports import Engine

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

_Raw = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of each container; ``end`` is when masking stops, by the monotonic clock."""

    tail: int
    since: float | None
    until: float | None
    place: Place | None
    matches: Callable[[str], bool]
    searching: bool
    redactor: Callable[[], Redactor]
    end: float


@dataclass(frozen=True, slots=True)
class Tail:
    """One container's lines, oldest first; ``older`` when there may be more before ``reached``, a line's time."""

    lines: list[LogLine]
    older: bool
    reached: str


def tail_of(engine: Engine, container: ContainerState, wanted: Wanted) -> Tail:
    """The last lines of one container that are wanted. Raises EngineUnavailable, EngineFailed."""
    asked = SEARCHED_LINES if wanted.searching else wanted.tail + (wanted.place.shown if wanted.place else 0)
    until = wanted.until
    if wanted.place is not None:
        # A float holds no nanoseconds: the few lines of that microsecond that are too late are cut by text.
        until = min(log_lines.seconds_of(wanted.place.time), until or float("inf"))
        asked += SAME_MICROSECOND
    ring, seen = Ring(asked), 0
    stop = time.monotonic() + READ_SECONDS
    stream = engine.logs(container.id, tail=asked, since=wanted.since, until=until)
    with closing(cast("Any", stream)):
        for when, kind, text in stream:
            seen += 1
            if wanted.place is None or when <= wanted.place.time:
                ring.append((when, kind, log_lines.cut(text)))
            if seen % BATCH_LINES == 0 and time.monotonic() > stop:
                break
    return _sifted(ring.lines(), shown_name(container.service), wanted, more=seen >= asked or ring.dropped)


def shown_name(service: str) -> str:
    """A service's name as it is shown: it is a label's text, which whoever made the container chose."""
    return " ".join(clean(service).split())[:80]


def _sifted(raw: Sequence[_Raw], name: str, wanted: Wanted, *, more: bool) -> Tail:
    """The lines that match, masked; ``more``: there may be lines before the first of these."""
    kept: deque[LogLine] = deque()
    chars, end = 0, len(raw)
    while end > 0:
        start = _back(raw, end, BATCH_LINES, BATCH_CHARS)
        for line in reversed(_matching(raw, start, end, name, wanted)):
            if len(kept) == wanted.tail or (chars and chars + len(line.text) > KEPT_CHARS):
                return Tail(list(kept), True, kept[0].time)
            kept.appendleft(line)
            chars += len(line.text)
        end = start
        if end and len(kept) == wanted.tail:
            return Tail(list(kept), True, kept[0].time)
        if end and time.monotonic() > wanted.end:
            return Tail(list(kept), True, raw[end][0])
    return Tail(list(kept), more, raw[0][0] if raw else "")


def _matching(raw: Sequence[_Raw], start: int, end: int, name: str, wanted: Wanted) -> list[LogLine]:
    first = _back(raw, start, AROUND_LINES, AROUND_CHARS)
    last = _on(raw, end, AROUND_LINES, AROUND_CHARS)
    window = [LogLine(when, name, kind, text) for when, kind, text in raw[first:last]]
    # Matched as masked: otherwise a pattern could ask, letter by letter, what a secret is.
    hide, mark = wanted.redactor().safe, secrets.token_hex(8)
    shown = log_lines.masked(window, hide, mark, range(start - first, end - first))
    return [line for line in shown if wanted.matches(line.text)]


def _back(raw: Sequence[_Raw], end: int, lines: int, chars: int) -> int:
    """Where a stretch begins that ends there and holds at most so much (one line at least, where there is one)."""
    start = end
    while start > 0 and end - start < lines and (chars > 0 or start == end):
        start -= 1
        chars -= len(raw[start][2])
    return start


def _on(raw: Sequence[_Raw], start: int, lines: int, chars: int) -> int:
    end = start
    while end < len(raw) and end - start < lines and chars > 0:
        chars -= len(raw[end][2])
        end += 1
    return end
