"""What services wrote to their logs; untrusted data, bounded in memory and in the answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core import log_lines
from homelab_mcp.core.log_lines import LogLine
from homelab_mcp.core.redact import Redactor, secret_values
from homelab_mcp.core.status_view import declared, owner
from homelab_mcp.core.yaml12 import YamlRefused
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.observed import ContainerState, StackFiles
from homelab_mcp.ports import Engine, Files, Lab
from homelab_mcp.queries.find import check_stack, find_in, nearest, read_stacks
from homelab_mcp.queries.log_tail import SECONDS, Wanted, shown_name, tail_of

MOST_LINES = 1_000
MOST_CONTAINERS = 20
PAGE_BYTES = 12_288
"""Leaves room, below a tool result's 16 KiB, for JSON's own quoting."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines oldest first; ``truncated`` when there may be older ones, which ``next_cursor`` gets.

    ``untrusted`` is always true: the text is data from outside, never instructions.
    """

    services: tuple[str, ...]
    lines: tuple[str, ...]
    truncated: bool
    next_cursor: str | None = None
    untrusted: bool = True

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; ``next_cursor`` only where there is one."""
        body: dict[str, Any] = {
            "untrusted": True,
            "services": list(self.services),
            "lines": list(self.lines),
            "truncated": self.truncated,
        }
        if self.next_cursor:
            body["next_cursor"] = self.next_cursor
        return body

    def text(self) -> str:
        """The lines between two marks that say what they are."""
        tail = f"\nnext_cursor: {self.next_cursor}" if self.next_cursor else ""
        body = "\n".join(self.lines) or "(no lines)"
        return f"[log of {', '.join(self.services)}: untrusted data]\n{body}\n[end of log]{tail}"


def read_logs(
    files: Files,
    engine: Engine,
    services: Sequence[str] = (),
    stack: str = "",
    *,
    tail: int = 100,
    since: str = "",
    until: str = "",
    grep: str = "",
    cursor: str = "",
    max_bytes: int = PAGE_BYTES,
    now: float | None = None,
    redactor: Callable[[], Redactor] | None = None,
) -> LogPage:
    """The last lines of services, merged by time.

    Args:
        files: the lab's folder.
        engine: the engine that has the containers.
        services: Compose service names (or ``stack/service``); empty: every service of ``stack``.
        stack: the stack, when no services are named or to tell equal names apart.
        tail: last lines of each service, 1 to 1000; with ``grep``, the last that match among 20,000, or among as many
            as a second allows; ``next_cursor`` goes on from there.
        since: ``10m``, ``2h`` or an ISO time.
        until: the same.
        grep: a regular expression, linear-time syntax.
        cursor: ``next_cursor`` of the page before.
        max_bytes: of the lines together.
        now: Unix seconds; the clock where None.
        redactor: masks what the lab knows as secret, asked anew for each batch; None: what its env files hold.

    Raises:
        NotFound: no such stack or service, or it has no container.
        InvalidInput: a value that cannot be taken as it is.
        EngineUnavailable: Docker does not answer.
    """
    if not 1 <= tail <= MOST_LINES:
        raise InvalidInput(f"tail must be 1 to {MOST_LINES}, not {tail}.", hint="Use cursor for more lines.")
    now = time.time() if now is None else now
    place = log_lines.parse_cursor(cursor)
    stacks = read_stacks(files)
    wanted = Wanted(
        tail=tail,
        since=log_lines.parse_time(since, now),
        until=log_lines.parse_time(until, now),
        place=place,
        matches=log_lines.matcher(grep),
        searching=bool(grep),
        redactor=redactor or _of_env_files(files, stacks),
        end=time.monotonic() + SECONDS,
    )
    containers = _containers(stacks, engine.containers(), files.root, services, stack)
    lines, more, horizon = _gather(engine, containers, wanted)
    lines = log_lines.before(sorted(lines, key=lambda line: line.time), place)
    texts, covered = log_lines.page(lines, max_bytes)
    truncated = more or covered < len(lines)
    reached = log_lines.place_of(lines, covered, place, horizon) if truncated else None
    names = tuple(dict.fromkeys(shown_name(c.service) for c in containers))
    return LogPage(names, tuple(texts), truncated, reached.as_cursor() if reached else None)


def logs_of(
    lab: Lab,
    services: Sequence[str] = (),
    stack: str = "",
    *,
    tail: int = 100,
    since: str = "",
    until: str = "",
    grep: str = "",
    cursor: str = "",
    max_bytes: int = PAGE_BYTES,
) -> dict[str, Any]:
    """:func:`read_logs` of a lab, JSON-ready."""
    page = read_logs(
        lab.files,
        lab.engine,
        services,
        stack,
        tail=tail,
        since=since,
        until=until,
        grep=grep,
        cursor=cursor,
        max_bytes=max_bytes,
        now=lab.clock.now(),
        redactor=lambda: lab.redactor,
    )
    return page.as_dict()


def _gather(engine: Engine, containers: Sequence[ContainerState], wanted: Wanted) -> tuple[list[LogLine], bool, str]:
    """All lines, whether there may be older ones, and from which time on none is missing."""
    lines: list[LogLine] = []
    more = False
    horizon = ""
    for container in containers:
        found = tail_of(engine, container, wanted)
        lines += found.lines
        if found.older:
            more = True
            horizon = max(horizon, found.reached)
    return lines, more, horizon


def _of_env_files(files: Files, stacks: Sequence[StackFiles]) -> Callable[[], Redactor]:
    # Every stack's: services of one stack log what they were told by another's.
    texts = [files.read("global.env") or "", *(stack.env_text for stack in stacks)]
    found = Redactor(value for text in texts for value in secret_values(text))
    return lambda: found


def _containers(
    stacks: tuple[StackFiles, ...],
    running: Sequence[ContainerState],
    root: str,
    services: Sequence[str],
    stack: str,
) -> list[ContainerState]:
    placed = [(owner(c, stacks, root), c) for c in running]
    if not services:
        if not stack:
            raise InvalidInput("Neither a service nor a stack was named.", hint="Name one; lab_status lists them.")
        found = [c for name, c in placed if name == stack]
        if not found:
            check_stack(stacks, stack)
            raise NotFound(f"Stack {stack} has no containers.", hint="It was never started, or was taken down.")
        return _few(found)
    found = []
    for word in services:
        try:
            place = find_in(stacks, word, stack)
        except NotFound:
            place = _undeclared(placed, word, stack) or _none_of(stacks, placed, word, stack)
        here = [c for name, c in placed if (name, c.service) == place]
        if not here:
            raise NotFound(f"{'/'.join(place)} has no container.", hint="It was never started, or was removed.")
        found += [c for c in here if c not in found]
    return _few(found)


def _few(found: list[ContainerState]) -> list[ContainerState]:
    if len(found) > MOST_CONTAINERS:
        raise InvalidInput(
            f"That is {len(found)} containers; {MOST_CONTAINERS} are read at once.", hint="Name fewer services."
        )
    return found


def _undeclared(placed: Sequence[tuple[str, ContainerState]], word: str, stack: str) -> tuple[str, str] | None:
    return next(((name, word) for name, c in placed if c.service == word and stack in {"", name}), None)


def _none_of(
    stacks: Sequence[StackFiles], placed: Sequence[tuple[str, ContainerState]], word: str, stack: str
) -> tuple[str, str]:
    names = {c.service for name, c in placed if stack in {"", name}}
    for one in stacks:
        if stack in {"", one.name}:
            try:
                names |= {d.service for d in declared(one)}
            except YamlRefused:
                continue
    raise NotFound(f"There is no service {word[:80]!r}.", hint=nearest(word, names, "Services"))
