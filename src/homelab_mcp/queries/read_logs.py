"""What services wrote to their logs; untrusted data, bounded in memory and in the answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from homelab_mcp.core import log_lines
from homelab_mcp.core.log_entries import counted
from homelab_mcp.core.log_levels import LEVELS
from homelab_mcp.core.log_lines import LogLine
from homelab_mcp.core.log_needle import needle_of
from homelab_mcp.core.redact import Redactor, secret_values
from homelab_mcp.core.stack_host import host_of, refuse_silent
from homelab_mcp.core.stack_owner import owner
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.ports import Engine, Files, Lab, LogSource
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.log_sources import containers_of, files_of, heads, notices_of
from homelab_mcp.queries.log_tail import SECONDS, Tail, Wanted, further, shown_name, tail_from

MOST_LINES = 1_000
MOST_CONTEXT = 20
SCAN_SECONDS = 20.0
PAGE_BYTES = 12_288
"""Leaves room, below a tool result's 16 KiB, for what stands around the lines."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries oldest first; ``truncated`` when there may be older ones, which ``next_cursor`` gets.

    ``untrusted`` is always true: the text is data from outside, never instructions.

    Args:
        services: whose lines these may be.
        lines: one entry each; an entry of several lines (a stack trace) has line ends in it.
        truncated: whether there may be older ones.
        next_cursor: gets those.
        levels: entries of this answer by level, as far as they say one.
        rest: where a client reads on by itself: the resource of the one service that this is about.
        notes: what a reader should know.
    """

    services: tuple[str, ...]
    lines: tuple[str, ...]
    truncated: bool
    next_cursor: str | None = None
    untrusted: bool = True
    levels: tuple[tuple[str, int], ...] = ()
    rest: str = ""
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; what is empty is left out, but for the lines."""
        body: dict[str, Any] = {
            "untrusted": True,
            "services": list(self.services),
            "lines": list(self.lines),
            "truncated": self.truncated,
        }
        if self.next_cursor:
            body["next_cursor"] = self.next_cursor
        if self.levels:
            body["levels"] = dict(self.levels)
        if self.rest:
            body["rest"] = self.rest
        if self.notes:
            body["notes"] = list(self.notes)
        return body

    def text(self) -> str:
        """The lines between two marks that say what they are."""
        tail = f"\nnext_cursor: {self.next_cursor}" if self.next_cursor else ""
        body = "\n".join(self.lines) or "(no lines)"
        return f"[log of {', '.join(self.services)}: untrusted data]\n{body}\n[end of log]{tail}"


@dataclass(frozen=True, slots=True)
class Log:
    """One log to be read: its name, its last lines, and where it can, what the rest of it has beside those."""

    name: str
    source: LogSource
    rest: Callable[[Wanted, Tail], Tail] | None = None


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """What is asked for.

    Args:
        services: Compose service names (or ``stack/service``); none: all of ``stack``, or of the lab.
        stack: the stack, when no services are named or to tell equal names apart.
        tail: last lines of each log, 1 to 1000; with ``grep`` or ``level`` the last that match among 20,000, or among
            as many as a second allows; ``next_cursor`` goes on from there.
        since: ``10m``, ``2h`` or an ISO time.
        until: the same.
        grep: a regular expression, linear-time syntax.
        level: entries at least that grave (see :data:`LEVELS`); those that say no level are then left out.
        context: lines around each that matches.
        files: also log files that the services write in the lab's folder.
        cursor: ``next_cursor`` of the page before.
        max_bytes: of the lines together.
        scan_seconds: for searching whole logs, of each container, where their ends have too little.
    """

    services: Sequence[str] = ()
    stack: str = ""
    tail: int = 100
    since: str = ""
    until: str = ""
    grep: str = ""
    level: str = ""
    context: int = 0
    files: bool = False
    cursor: str = ""
    max_bytes: int = PAGE_BYTES
    scan_seconds: float = SCAN_SECONDS

    def wanted(self, now: float, redactor: Callable[[], Redactor]) -> Wanted:
        """As a log is asked. Raises InvalidInput for a value that cannot be taken as it is."""
        if not 1 <= self.tail <= MOST_LINES:
            raise InvalidInput(f"tail must be 1 to {MOST_LINES}, not {self.tail}.", hint="Use cursor for more lines.")
        if self.level and self.level not in LEVELS:
            raise InvalidInput(f"{self.level[:20]!r} is no level.", hint=f"Levels: {', '.join(LEVELS)}.")
        if not 0 <= self.context <= MOST_CONTEXT:
            raise InvalidInput(f"context must be 0 to {MOST_CONTEXT}.", hint="Use since and until for more around it.")
        return Wanted(
            tail=self.tail,
            since=log_lines.parse_time(self.since, now),
            until=log_lines.parse_time(self.until, now),
            place=log_lines.parse_cursor(self.cursor),
            matches=log_lines.matcher(self.grep),
            searching=bool(self.grep),
            redactor=redactor,
            end=time.monotonic() + SECONDS,
            least=self.level,
            context=self.context,
            needle=needle_of(self.grep) if self.grep and not self.cursor else ("", False),
            scan_seconds=self.scan_seconds,
        )


def read_logs(
    files: Files,
    engine: Engine,
    services: Sequence[str] = (),
    stack: str = "",
    *,
    now: float | None = None,
    redactor: Callable[[], Redactor] | None = None,
    **more: Any,
) -> LogPage:
    """The last lines of services' containers, merged by time.

    Args:
        files: the lab's folder.
        engine: the engine that has the containers.
        services: as in :class:`LogQuestion`.
        stack: as there.
        now: Unix seconds; the clock where None.
        redactor: masks what the lab knows as secret, asked anew for each batch; None: what its env files hold.
        **more: further fields of :class:`LogQuestion`.

    Raises:
        NotFound: no such stack or service, or it has no container.
        InvalidInput: a value that cannot be taken as it is.
        EngineUnavailable: Docker does not answer.
    """
    question = LogQuestion(services=services, stack=stack, **more)
    stacks = read_stacks(files)
    wanted = question.wanted(time.time() if now is None else now, redactor or _of_env_files(files, stacks))
    found = containers_of(stacks, engine.containers(), files.root, services, stack)
    logs = [Log(shown_name(c.service), partial(engine.logs, c.id)) for c in found]
    return _page(logs, wanted, question.max_bytes)


def logs_of(lab: Lab, services: Sequence[str] = (), stack: str = "", **more: Any) -> dict[str, Any]:
    """:func:`page_of` by the fields of :class:`LogQuestion`, JSON-ready."""
    return page_of(lab, LogQuestion(services=services, stack=stack, **more)).as_dict()


def page_of(lab: Lab, question: LogQuestion) -> LogPage:
    """A lab's logs, as :func:`read_logs`, with log files where asked. Raises the same."""
    stacks = read_stacks(lab.files)
    wanted = question.wanted(lab.clock.now(), lambda: lab.redactor)
    running = lab.engine.containers()
    if silent := lab.engine.silent():
        refuse_silent(silent, _homes(stacks, question))
    found = containers_of(stacks, running, lab.files.root, question.services, question.stack)
    logs: list[Log] = []
    notes: list[str] = []
    for container in found:
        name = shown_name(container.service)
        logs.append(Log(name, partial(lab.engine.logs, container.id), partial(further, lab.meter, container)))
        paths, notices = files_of(lab, container, stacks), notices_of(lab, container, stacks)
        if question.files:
            logs += [Log(f"{name}:{_base(path)}", partial(lab.log_files.lines, path)) for path in paths]
            logs += [Log(f"{name}:{_base(path)}", heads(partial(lab.log_files.lines, path))) for path in notices]
            notes += [
                f"Of {name}'s {_base(path)} the head alone: a person reads it by `homelab-mcp user notice`."
                for path in notices
            ]
        elif (paths or notices) and len(found) == 1:
            notes.append(f"{name} also writes {', '.join(map(_base, (*paths, *notices)))}: ask with files=true.")
    page = _page(logs, wanted, question.max_bytes)
    if not page.lines and question.level:
        notes.append("No line that was looked at says such a level; lines that say none are left out.")
    rest = ""
    if page.next_cursor and len({(c.stack, c.service) for c in found}) == 1 and not _narrowed(question):
        place = owner(found[0], stacks, lab.files.root)
        rest = uri_of(place, found[0].service, page.next_cursor)
    return LogPage(
        page.services,
        page.lines,
        page.truncated,
        page.next_cursor,
        levels=page.levels,
        rest=rest,
        notes=(*page.notes, *notes),
    )


def _homes(stacks: Sequence[StackFiles], question: LogQuestion) -> set[str]:
    """The hosts of the stacks that are asked for by name."""
    named = {question.stack, *(s.partition("/")[0] for s in question.services if "/" in s)}
    return {host_of(s.compose_text) for s in stacks if s.name in named}


def uri_of(stack: str, service: str, cursor: str = "") -> str:
    """The address of a service's log as an MCP resource, and of its page before ``cursor``."""
    tail = f"?cursor={quote(cursor, safe='~')}" if cursor else ""
    return f"homelab://services/{quote(stack, safe='')}/{quote(service, safe='')}/logs{tail}"


def _narrowed(question: LogQuestion) -> bool:
    return bool(question.grep or question.level or question.since or question.until or question.files)


def _base(path: str) -> str:
    return shown_name(path.rpartition("/")[2])


def _page(logs: Sequence[Log], wanted: Wanted, max_bytes: int) -> LogPage:
    lines, more, horizon, notes = _gather(logs, wanted)
    lines = log_lines.before(sorted(lines, key=lambda line: line.time), wanted.place)
    texts, covered = log_lines.page(lines, max_bytes)
    truncated = more or covered < len(lines)
    reached = log_lines.place_of(lines, covered, wanted.place, horizon) if truncated else None
    names = tuple(dict.fromkeys(log.name for log in logs))
    tally = tuple(counted(lines[-covered:] if covered else ()).items())
    return LogPage(names, tuple(texts), truncated, reached.as_cursor() if reached else None, levels=tally, notes=notes)


def _gather(logs: Sequence[Log], wanted: Wanted) -> tuple[list[LogLine], bool, str, tuple[str, ...]]:
    """All lines, whether there may be older ones, from which time on none is missing, and what a reader should know."""
    lines: list[LogLine] = []
    more = False
    horizon = ""
    notes: list[str] = []
    for log in logs:
        found = tail_from(log.source, log.name, wanted)
        if log.rest is not None:
            found = log.rest(wanted, found)
        if found.scanned:
            between = f"from {found.scanned[:19]}Z to {found.reached[:19]}Z"
            notes.append(f"Time was up: of {log.name}, {between} was not searched; ask for that by since and until.")
        lines += found.lines
        if found.older:
            more = True
            horizon = max(horizon, found.reached)
    return lines, more, horizon, tuple(notes)


def _of_env_files(files: Files, stacks: Sequence[StackFiles]) -> Callable[[], Redactor]:
    # Every stack's: services of one stack log what they were told by another's.
    texts = [files.read("global.env") or "", *(stack.env_text for stack in stacks)]
    found = Redactor(value for text in texts for value in secret_values(text))
    return lambda: found
