"""What the lab's services are doing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.redact import safe
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.core.status_view import Row, as_text, counts, rows
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, InvalidInput
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.ports import Engine, Files, Lab
from homelab_mcp.queries.find import check_stack, read_stacks

MOST_INSPECTED = 20
_YOUNG = ("Up Less than", "Up 1 second", "Up 2 second", "Up 3 second", "Up 4 second", "Up 5 second")
_TROUBLED = frozenset({"restarting", "exited", "dead"})


@dataclass(frozen=True, slots=True)
class LabStatus:
    """One page of rows, with counts over all of them.

    ``engine_error`` is set when Docker did not answer: the rows then come from the files alone. ``silent`` are hosts
    of several that did not answer, and why.
    """

    rows: tuple[Row, ...]
    total: int
    counts: dict[str, int]
    engine_error: str = ""
    next_cursor: str | None = None
    silent: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """``services, total, counts``; ``engine_error``, ``silent_hosts`` and ``next_cursor`` where there are any."""
        body: dict[str, Any] = {
            "services": [row.as_dict() for row in self.rows],
            "total": self.total,
            "counts": self.counts,
        }
        if self.engine_error:
            body["engine_error"] = self.engine_error
        if self.silent:
            body["silent_hosts"] = dict(self.silent)
        if self.next_cursor:
            body["next_cursor"] = self.next_cursor
        return body

    def text(self) -> str:
        """The page as compact text, a line a service."""
        body = as_text(self.rows, self.total, self.counts)
        if self.engine_error:
            body = f"{self.engine_error}\nFrom the files alone:\n{body}"
        body = "\n".join([*self.silent.values(), body])
        return f"{body}\nnext_cursor: {self.next_cursor}" if self.next_cursor else body


def lab_status(
    files: Files,
    engine: Engine | None,
    *,
    stack: str = "",
    limit: int = 50,
    cursor: str = "",
    built: Callable[[], Mapping[str, str]] = dict,
) -> LabStatus:
    """Every service of the lab, or of one stack: two engine requests, and one more for each troubled container.

    Args:
        files: the lab's folder.
        engine: None where no engine is wanted.
        stack: only this stack.
        limit: rows of a page.
        cursor: ``next_cursor`` of the page before.
        built: asked for the images' ages, by image id.

    Raises:
        NotFound: no such stack.
        InvalidInput: not a cursor of this question.
    """
    start = _offset(cursor)
    stacks = read_stacks(files)
    containers: tuple[ContainerState, ...] | None = None
    restarts: dict[str, int] = {}
    ages: Mapping[str, str] = {}
    trouble = ""
    silent: Mapping[str, str] = {}
    if engine is not None:
        try:
            containers = engine.containers()
            silent = engine.silent()
            restarts = _restarts(engine, containers)
            ages = built()
        except (EngineUnavailable, EngineFailed) as error:
            trouble = error.as_text()
    shared = files.read("global.env") or ""
    found = rows(stacks, containers, root=files.root, restarts=restarts, shared_env=shared, ages=ages, silent=silent)
    if stack:
        # A stack whose folder is gone can still have containers.
        if not any(row.stack == stack for row in found):
            check_stack(stacks, stack)
        found = [row for row in found if row.stack == stack]
    page = tuple(_clean(row) for row in found[start : start + limit])
    more = str(start + limit) if start + limit < len(found) else None
    return LabStatus(page, len(found), counts(found), trouble, more, {h: safe(why)[:300] for h, why in silent.items()})


def age(seconds: float) -> str:
    """A span as 5h, 12d, 3mo or 2y; the largest whole unit."""
    for unit, size in (("y", 365.25 * 86_400), ("mo", 30.4 * 86_400), ("d", 86_400.0), ("h", 3600.0)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "<1h"


def status_of(lab: Lab, stack: str = "", limit: int = 50, cursor: str = "", *, drift: bool = False) -> dict[str, Any]:
    """:func:`lab_status` of a lab, JSON-ready; each service whose containers are not as its file says has ``drift``.

    Compose is asked for that (70 to 140 ms a stack), so only for one stack, or with ``drift``.
    """
    engine = None if lab.files_only else lab.engine
    now = lab.clock.now()

    def built() -> dict[str, str]:
        return {image: age(now - when) for image, when in lab.meter.image_times().items() if when > 0}

    found = lab_status(lab.files, engine, stack=stack, limit=limit, cursor=cursor, built=built)
    body = found.as_dict()
    if engine is not None and not found.engine_error and (stack or drift):
        from homelab_mcp.queries.review import container_drift

        shown = {row.stack for row in found.rows}
        stacks = [s for s in read_stacks(lab.files) if s.name in shown and host_of(s.compose_text) not in found.silent]
        words = {(d.stack, d.service): str(d.word) for d in container_drift(lab, stacks, stack, [], details=False)}
        for row in body["services"]:
            if word := words.get((row["stack"], row["service"])):
                row["drift"] = word
    return body


def _restarts(engine: Engine, containers: tuple[ContainerState, ...]) -> dict[str, int]:
    # A crash loop is caught while it runs as often as while it waits, so containers just started count too.
    troubled = [c for c in containers if c.state in _TROUBLED or c.status.startswith(_YOUNG)]
    found: dict[str, int] = {}
    for container in sorted(troubled, key=lambda c: c.state not in _TROUBLED)[:MOST_INSPECTED]:
        try:
            found[container.id] = engine.inspect(container.id).restart_count
        except EngineFailed as error:
            if error.code != "no_such_object":
                raise
    return found


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 6:
        raise InvalidInput("That is not a cursor of lab_status.", hint="Ask again without one.", code="bad_cursor")
    return int(cursor)


def _clean(row: Row) -> Row:
    """Names, URL and image come from labels and files that anyone may have written."""
    from dataclasses import replace

    return replace(
        row,
        stack=safe(row.stack)[:80],
        service=safe(row.service)[:80],
        url=safe(row.url)[:200],
        image=safe(row.image)[:200],
    )
