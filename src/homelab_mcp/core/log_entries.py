"""Log lines that belong together: a stack trace is one entry, found, counted and shown as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from homelab_mcp.core.log_levels import at_least, level_of
from homelab_mcp.core.log_lines import LogLine

MOST_PARTS = 200
"""Lines of one entry; further ones begin another."""

_TRACE = "Traceback (most recent call last)"
_INDENTED = re.compile(r"^[ \t]+\S")
_GOES_ON = re.compile(
    r"^(?:Caused by: |\.\.\. \d+ more|at \S+\(|During handling of the above|The above exception was|"
    r"[})\]]{1,3}[,;]?\s*$)"
)
_GO = re.compile(r"^(?:goroutine \d+ \[|\[signal |created by |exit status |\S+\(.*\)$|$)")
_GO_ENDS = ("panic: ", "fatal error: ")
_NAME_OF_ERROR = re.compile(r"^[A-Za-z_][\w.]*(?::|$)")


def joined(lines: Sequence[LogLine]) -> list[LogLine]:
    """One service's lines in order, with those that go on with the one before marked as its parts.

    Parts get the time of their entry's first line, so that sorting by time keeps them together; ``real`` keeps theirs.
    """
    found: list[LogLine] = []
    head: LogLine | None = None
    parts = 0
    trace = False
    for line in lines:
        if head is not None and parts < MOST_PARTS and line.stream == head.stream:
            before = found[-1].text
            trace = trace or _TRACE in before
            if _belongs(line.text, before, head.text, trace=trace):
                found.append(replace(line, time=head.time, part=True, real=line.time))
                parts += 1
                continue
        head, parts, trace = line, 0, False
        found.append(line)
    return found


def _belongs(text: str, before: str, head: str, *, trace: bool) -> bool:
    if _INDENTED.match(text) or _GOES_ON.match(text):
        return bool(head.strip())
    if text.startswith(_TRACE):
        return trace or at_least(level_of(head), "error")
    if trace:
        # Its last line names the error; more traces may follow after an empty line.
        return not text.strip() or bool(_INDENTED.match(before) and _NAME_OF_ERROR.match(text))
    return head.startswith(_GO_ENDS) and bool(_GO.match(text))


def chosen(lines: Sequence[LogLine], matches: Callable[[str], bool], least: str, context: int) -> list[bool]:
    """Which of one service's joined lines are wanted: whole entries, and so many lines around each that matches.

    Args:
        lines: as :func:`joined` gives them.
        matches: asked for each line; one that matches takes its entry along.
        least: the level an entry must have, "" for any. Its first line tells, else the gravest of its parts.
        context: lines before and after.
    """
    wanted = [False] * len(lines)
    starts = [n for n, line in enumerate(lines) if not line.part or n == 0]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        entry = lines[start:end]
        if least and not at_least(_level(entry), least):
            continue
        if any(matches(line.text) for line in entry):
            for n in range(max(start - context, 0), min(end + context, len(lines))):
                wanted[n] = True
    return _whole(lines, wanted) if context else wanted


def _level(entry: Sequence[LogLine]) -> str:
    first = level_of(entry[0].text)
    return first or next((found for line in entry[1:] if (found := level_of(line.text))), "")


def _whole(lines: Sequence[LogLine], wanted: list[bool]) -> list[bool]:
    for n in range(1, len(lines)):
        wanted[n] = wanted[n] or (lines[n].part and wanted[n - 1])
    for n in range(len(lines) - 1, 0, -1):
        wanted[n - 1] = wanted[n - 1] or (lines[n].part and wanted[n])
    return wanted


def counted(lines: Sequence[LogLine]) -> dict[str, int]:
    """How many entries have each level, the gravest first; those that do not say are left out."""
    tally: dict[str, int] = {}
    for line in lines:
        if not line.part and (level := level_of(line.text)):
            tally[level] = tally.get(level, 0) + 1
    return {level: tally[level] for level in ("fatal", "error", "warn", "info", "debug") if level in tally}
