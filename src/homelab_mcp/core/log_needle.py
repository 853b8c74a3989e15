"""A word that any line must have to match a pattern: with it a log of gigabytes is searched as fast as it comes."""

from __future__ import annotations

from homelab_mcp.core.redact_forms import MASK

SHORTEST = 3
_SPECIAL = frozenset(".^$*+?{}[]\\|()")


def needle_of(pattern: str) -> tuple[str, bool]:
    """(the longest such word, whether its case does not count); "" where none is sure.

    Only plain characters outside of groups are taken. A word that could touch the mask of a secret is none: the search
    must not tell what is behind it. So lines that have the word, masked, are exactly those that have it as they are,
    and looking for it first gives nothing away.
    """
    fold = pattern.startswith("(?i)")
    runs = _runs(pattern.removeprefix("(?i)"))
    if fold:
        # Two letters beyond ASCII fold to k and s.
        runs = [part for run in runs for part in run.lower().replace("s", "k").split("k")]
    sure = [run for run in runs if len(run) >= SHORTEST and run.isascii() and run.isprintable() and not _near_mask(run)]
    return max(sure, key=len, default=""), fold


def _runs(pattern: str) -> list[str]:
    found, run, place = [], "", 0
    while place < len(pattern):
        char = pattern[place]
        following = pattern[place + 1 : place + 2]
        if char == "|" or (char == "(" and following == "?" and pattern[place + 2 : place + 3] != ":"):
            return []
        if char == "\\" and following and not following.isalnum():
            run, place = run + following, place + 2
        elif char not in _SPECIAL:
            run, place = run + char, place + 1
        else:
            found.append(run[:-1] if char in "*?{" else run)
            run = ""
            end = _end_of(pattern, place)
            if end < 0:
                return []
            place = end
    return [*found, run]


def _end_of(pattern: str, place: int) -> int:
    """Where what begins with a special character ends; -1 where that is not sure."""
    char = pattern[place]
    if char == "\\":
        # \d and its like; what takes braces or digits is not looked into.
        return place + 2 if pattern[place + 1 : place + 2] in set("dDsSwWbB") else -1
    if char == "{":
        return pattern.find("}", place) + 1 or -1
    if char == "[":
        return _end_of_class(pattern, place)
    if char != "(":
        return place + 1
    depth, place = 0, place
    while place < len(pattern):
        if pattern[place] == "\\":
            place += 2
            continue
        if pattern[place] == "[":
            place = _end_of_class(pattern, place)
            if place < 0:
                return -1
            continue
        depth += (pattern[place] == "(") - (pattern[place] == ")")
        place += 1
        if depth == 0:
            return place
    return -1


def _end_of_class(pattern: str, place: int) -> int:
    body = pattern[place + 1 :]
    if "[" in body.partition("]")[0] or body[:1] in {"]", ""} or body[:2] == "^]":
        return -1
    place += 1
    while place < len(pattern) and pattern[place] != "]":
        place += 2 if pattern[place] == "\\" else 1
    return place + 1 if place < len(pattern) else -1


def _near_mask(run: str) -> bool:
    mask = MASK.lower()
    run = run.lower()
    ends = any(run.startswith(mask[n:]) or run.endswith(mask[:n]) for n in range(1, len(mask)))
    return ends or mask in run or run in mask
