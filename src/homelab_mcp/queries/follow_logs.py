"""Logs as they are written: asked once a second, masked and filtered as :mod:`read_logs` does, for a bounded time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from homelab_mcp.core import log_lines
from homelab_mcp.core.log_lines import LogLine
from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.log_sources import containers_of
from homelab_mcp.queries.log_tail import Raw, matching, shown_name
from homelab_mcp.queries.read_logs import LogPage, LogQuestion

BURST_LINES = 2_000
"""Lines of one container that are taken in at once; what is written faster is left out, and said so."""
CONTEXT_LINES = 40


class Follower:
    """Follows the containers that a question is about, also those that are made anew meanwhile.

    Args:
        lab: the lab.
        question: whose ``services``, ``stack``, ``grep``, ``level`` and ``context`` count.
    """

    def __init__(self, lab: Lab, question: LogQuestion) -> None:
        self._lab = lab
        self._question = replace(question, cursor="", since="", until="")
        self._begun = lab.clock.now()
        self._stacks = read_stacks(lab.files)
        self._last: dict[str, str] = {}
        self._ahead: dict[str, list[Raw]] = {}
        self.services: tuple[str, ...] = ()
        self.skipped = False
        self._containers()

    def look(self) -> list[str]:
        """Entries since the last look, oldest first. Raises EngineUnavailable, EngineFailed, NotFound."""
        found: list[LogLine] = []
        wanted = self._question.wanted(self._lab.clock.now(), lambda: self._lab.redactor)
        for container in self._containers():
            raw = self._new(container.id)
            if raw:
                ahead = self._ahead.get(container.id, [])
                whole = [*ahead, *raw]
                found += matching(whole, len(ahead), len(whole), shown_name(container.service), wanted)
                self._ahead[container.id] = whole[-CONTEXT_LINES:]
        found.sort(key=lambda line: line.time)
        return [log_lines.rendered(entry, count) for entry, count in log_lines.collapsed(found)]

    def _containers(self) -> list[ContainerState]:
        q = self._question
        running = self._lab.engine.containers()
        found = containers_of(self._stacks, running, self._lab.files.root, q.services, q.stack)
        self.services = tuple(dict.fromkeys(shown_name(c.service) for c in found))
        return found

    def _new(self, container_id: str) -> list[Raw]:
        last = self._last.get(container_id, "")
        since = log_lines.seconds_of(last) if last else self._begun
        try:
            lines = list(self._lab.engine.logs(container_id, tail=BURST_LINES, since=since))
        except EngineFailed as error:
            if error.code != "no_such_object":
                raise
            return []
        self.skipped = self.skipped or len(lines) == BURST_LINES
        # A float holds no nanoseconds, so lines of the last look come again.
        new = [(when, kind, log_lines.cut(text)) for when, kind, text in lines if when > last]
        if new:
            self._last[container_id] = new[-1][0]
        return new


def follow(lab: Lab, question: LogQuestion, seconds: float, *, pause: float = 1.0) -> Iterator[list[str]]:
    """New entries after each pause (also where there are none), until the time is over. Raises as :meth:`look`."""
    follower = Follower(lab, question)
    end = lab.clock.monotonic() + seconds
    while lab.clock.monotonic() < end:
        lab.clock.sleep(min(pause, max(end - lab.clock.monotonic(), 0)))
        yield follower.look()


def waited(lab: Lab, question: LogQuestion, seconds: float, told: Callable[[float, int], None]) -> LogPage:
    """What is written while waiting, at most ``max_bytes`` of it; with a pattern or a level, the first that match.

    Args:
        lab: the lab.
        question: what to wait for.
        seconds: how long at most.
        told: called after each look with the seconds that passed and how many entries there are.
    """
    begun = lab.clock.monotonic()
    lines: list[str] = []
    follower = Follower(lab, question)
    while (passed := lab.clock.monotonic() - begun) < seconds:
        lab.clock.sleep(min(1.0, seconds - passed))
        lines += follower.look()
        told(lab.clock.monotonic() - begun, len(lines))
        if sum(len(one) for one in lines) > question.max_bytes or (lines and (question.grep or question.level)):
            break
    kept, left = log_lines.fitting(lines, question.max_bytes)
    notes = [f"{left} more entries were written; ask again without follow."] if left else []
    if follower.skipped:
        notes.append("More was written than is followed; some lines are missing here.")
    return LogPage(follower.services, tuple(kept), bool(left), notes=tuple(notes))
