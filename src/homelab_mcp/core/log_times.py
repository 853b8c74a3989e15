"""The moment that a line of a log file names, as container logs have it: RFC 3339 in UTC with nine digits."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_LOOKED_AT = 2_000
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d)?"
_AHEAD = re.compile(rf"^[\[\"'(]?({_ISO})")
_NAMED = re.compile(rf'"?\b@?(?:time|ts|timestamp|StartUTC)"?\s*[:=]\s*"?({_ISO}|\d{{10}}(?:\.\d{{1,9}})?|\d{{13}})\b')
_COMMON = re.compile(r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]")
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {m: n for n, m in enumerate(_NAMES, 1)}


def time_of(text: str) -> str:
    """The line's time, "" where it names none that is known. A time without a zone is taken for UTC."""
    text = text[:_LOOKED_AT]
    try:
        if found := _AHEAD.search(text) or _NAMED.search(text):
            return _read(found[1])
        if found := _COMMON.search(text):
            return _common(found[1])
    except (ValueError, OverflowError, KeyError):
        pass
    return ""


def stamp(seconds: float) -> str:
    """Unix seconds as a line's time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def _read(text: str) -> str:
    if text[:5].isdigit():
        seconds = float(text)
        return stamp(seconds / 1000 if seconds > 1e11 else seconds)
    plain = text.replace(",", ".").replace(" +", "+").replace(" -", "-")
    head, _, fraction = plain.partition(".")
    digits = re.match(r"\d*", fraction)
    part = digits[0] if digits else ""
    when = datetime.fromisoformat(f"{head}{fraction[len(part) :]}" if fraction else plain)
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{part.ljust(9, '0')[:9]}Z"


def _common(text: str) -> str:
    day, month, rest = text.split("/", 2)
    year, clock = rest.split(":", 1)
    hours, zone = clock.split(" ")
    when = datetime.fromisoformat(f"{year}-{_MONTHS[month]:02}-{day}T{hours}{zone[:3]}:{zone[3:]}")
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000000000Z"
