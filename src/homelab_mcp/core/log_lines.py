"""Log lines: times, patterns, merging and cutting, so that any log fits a small answer."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from homelab_mcp.model.errors import InvalidInput

LINE_LIMIT = 4_000
HELD_CHARS = 8_000_000
"""Characters of one log that are held at once: some 8 to 30 MB, whatever the log's size."""
SHOWN_LIMIT = 1_000
ENTRY_LIMIT = 5_000
"""Characters of an entry's lines after its first."""
PATTERN_LIMIT = 200
_PATTERN_BYTES = 1 << 20
_RELATIVE = re.compile(r"^(\d{1,6})\s*(s|m|h|d|w)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CURSOR = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)~(\d{1,6})$")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: RFC 3339 time in UTC with nine digits (so that text order is time order), service, stream, text.

    ``part``: it goes on with the line before (a stack trace) and has that one's time; its own is then in ``real``.
    """

    time: str
    service: str
    stream: str
    text: str
    part: bool = False
    real: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page before began: its oldest time, and how many lines of just that time it showed."""

    time: str
    shown: int

    def as_cursor(self) -> str:
        """The place as one opaque word."""
        return f"{self.time}~{self.shown}"


class Ring:
    """The last lines of a log as they come by: (time, stream, text), at most so many of them and so much text."""

    def __init__(self, lines: int, chars: int = HELD_CHARS) -> None:
        self._most = lines
        self._left = chars
        self._kept: deque[tuple[str, str, str]] = deque()
        self.dropped = False

    def append(self, line: tuple[str, str, str]) -> None:
        """Take a line in, and let go of the oldest that do not fit any more."""
        self._kept.append(line)
        self._left -= len(line[2])
        while len(self._kept) > self._most or (self._left < 0 and len(self._kept) > 1):
            self._left += len(self._kept.popleft()[2])
            self.dropped = True

    def lines(self) -> list[tuple[str, str, str]]:
        """What is held, oldest first."""
        return list(self._kept)


def parse_cursor(text: str) -> Place | None:
    """The place of a cursor, None for "". Raises InvalidInput (code ``bad_cursor``)."""
    if not text:
        return None
    found = _CURSOR.match(text)
    if not found:
        raise InvalidInput("That is not a cursor of read_logs.", hint="Ask again without one.", code="bad_cursor")
    return Place(found[1], int(found[2]))


def parse_time(text: str, now: float) -> float | None:
    """Unix seconds of ``10m``, ``2h`` (before ``now``) or an ISO 8601 time (UTC where it names no zone); None for "".

    Raises:
        InvalidInput: neither (code ``bad_time``).
    """
    text = text.strip()
    if not text:
        return None
    if found := _RELATIVE.match(text):
        return now - int(found[1]) * _SECONDS[found[2]]
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text[:40]!r} is not a time.", hint="Use 10m, 2h, 1d or 2026-01-31T12:00:00Z.", code="bad_time"
        ) from None


def seconds_of(time: str) -> float:
    """Unix seconds of a line's time, rounded to microseconds."""
    return datetime.fromisoformat(time[:26] + "+00:00").timestamp()


def matcher(pattern: str) -> Callable[[str], bool]:
    """A test for the regular expression, linear in the line's length whatever the pattern.

    Python's own ``re`` backtracks, and a pattern from a model must not be able to hold the server. The Rust engine
    in jsonschema-rs does not, has a size limit, and knows neither look-around nor back-references.

    Raises:
        InvalidInput: not a pattern that the engine takes (code ``bad_pattern``).
    """
    if not pattern:
        return lambda text: True
    from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

    if len(pattern) <= PATTERN_LIMIT:
        options = RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
        try:
            found = Draft202012Validator({"pattern": pattern}, pattern_options=options)
        except (ValidationError, ValueError):
            pass
        else:
            return found.is_valid
    raise InvalidInput(
        "That pattern cannot be searched for.",
        hint=f"Use a regular expression of at most {PATTERN_LIMIT} characters, without look-around and "
        "back-references; (?i) ignores case.",
        code="bad_pattern",
    )


def before(lines: Sequence[LogLine], place: Place | None) -> list[LogLine]:
    """The lines, already in time order, that are older than the page before."""
    if place is None:
        return list(lines)
    older = [line for line in lines if line.time < place.time]
    same = [line for line in lines if line.time == place.time]
    return older + same[: max(len(same) - place.shown, 0)]


def entries(lines: Iterable[LogLine]) -> list[list[LogLine]]:
    """The lines by entry: a line, and the parts that follow it."""
    found: list[list[LogLine]] = []
    for line in lines:
        if line.part and found and (found[-1][0].service, found[-1][0].time) == (line.service, line.time):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def collapsed(lines: Iterable[LogLine]) -> list[tuple[list[LogLine], int]]:
    """Runs of one service's equal entries as (the first of them, how many)."""
    found: list[tuple[list[LogLine], int]] = []
    for entry in entries(lines):
        if found and _same(found[-1][0], entry):
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((entry, 1))
    return found


def _same(one: Sequence[LogLine], other: Sequence[LogLine]) -> bool:
    return one[0].service == other[0].service and [line.text for line in one] == [line.text for line in other]


def rendered(entry: Sequence[LogLine], count: int) -> str:
    """``time service text (xN)``, the time to milliseconds; the entry's other lines below it.

    A very long entry keeps its beginning and its end, where the cause is, and says how much is left out.
    """
    line = entry[0]
    mark = " !" if line.stream == "stderr" else ""
    first = f"{line.time[:23]}Z {line.service}{mark} {_shown(line.text)}" + (f" (x{count})" if count > 1 else "")
    return "\n".join([first, *_below(entry[1:])])


def _below(parts: Sequence[LogLine]) -> list[str]:
    shown: list[str] = []
    for part in parts:
        text = _shown(part.text)
        if not shown or shown[-1] != text:
            shown.append(text)
    begin, end, room = 0, len(shown), ENTRY_LIMIT
    while begin < end:
        # From both sides in turn: the beginning says what was done, the end what went wrong.
        at = begin if begin <= len(shown) - end else end - 1
        room -= len(shown[at]) + 1
        if room < 0:
            return [*shown[:begin], f"  … ({end - begin} more lines)", *shown[end:]]
        begin, end = (begin + 1, end) if at == begin else (begin, end - 1)
    return shown


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_LIMIT else text[:SHOWN_LIMIT] + f"… (+{len(text) - SHOWN_LIMIT})"


def page(lines: Sequence[LogLine], max_bytes: int) -> tuple[list[str], int]:
    """(texts, how many of the lines they stand for): the newest entries that fit in ``max_bytes``, oldest first.

    Bytes are those of the answer, in which JSON quotes what a line quotes.
    """
    texts: list[str] = []
    used = covered = 0
    for entry, count in reversed(collapsed(lines)):
        text = rendered(entry, count)
        size = _size(text)
        if used + size > max_bytes and texts:
            break
        used += size
        covered += count * len(entry)
        texts.append(text)
    return texts[::-1], covered


def fitting(texts: Sequence[str], max_bytes: int) -> tuple[list[str], int]:
    """The first texts that fit in ``max_bytes`` (one at least, where there is one), and how many are left over."""
    used = 0
    for number, text in enumerate(texts):
        used += _size(text)
        if used > max_bytes and number:
            return list(texts[:number]), len(texts) - number
    return list(texts), 0


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) + 1


def place_of(lines: Sequence[LogLine], covered: int, earlier: Place | None, horizon: str) -> Place | None:
    """Where the next page goes on; None where nothing was shown and no older line was looked at.

    Args:
        lines: all lines, in time order.
        covered: how many of the newest were shown.
        earlier: where this page went on.
        horizon: the time from which on every service's lines are complete. Older ones of quiet services are shown
            a second time, so that none of a busy service's are lost.
    """
    if not covered:
        return Place(horizon, 0) if horizon and (earlier is None or horizon < earlier.time) else None
    shown = lines[-covered:]
    reached = max(shown[0].time, horizon)
    # An older entry of another service may have lines later than that: the next page must still be told of them.
    late = max((line.real for line in lines[:-covered] if line.part), default="")
    if late > reached and (earlier is None or late < earlier.time):
        reached = late
    same = sum(line.time == reached for line in shown)
    if earlier is not None and earlier.time == reached:
        same += earlier.shown
    return Place(reached, same)


def masked(lines: Sequence[LogLine], hide: Callable[[str], str], mark: str) -> list[tuple[int, LogLine]]:
    """The lines by their places, with ``hide`` applied to their texts at once, so that it sees what spans lines.

    Lines that ``hide`` took out whole (in a private key) are gone. ``mark`` must not occur in any log: a fresh random
    word.
    """
    # The brace ends a value in every pattern of the redaction, so that none reaches into the next line.
    text = "\n".join(f"}}⟦{mark}:{number}⟧{cut(line.text)}" for number, line in enumerate(lines))
    pieces = re.split(rf"\}}⟦{re.escape(mark)}:(\d+)⟧", hide(text))
    return [
        (int(number), replace(lines[int(number)], text=piece.replace("\n", " ").rstrip()))
        for number, piece in zip(pieces[1::2], pieces[2::2], strict=True)
    ]


def cut(text: str) -> str:
    """At most ``LINE_LIMIT`` characters, whole words: half a secret would not be known as one."""
    text = text.replace("\n", " ")
    return text if len(text) <= LINE_LIMIT else text[:LINE_LIMIT].rsplit(None, 1)[0] + " …"
