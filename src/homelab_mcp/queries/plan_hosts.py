"""Which of a lab's Docker hosts a plan changed something of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from homelab_mcp.core.fingerprint import touched_stacks
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import COMPOSE_NAMES, LOCAL
from homelab_mcp.model.plan import Draft, Plan
from homelab_mcp.ports import Lab

UNKNOWN = ""
"""Stands for the host of a stack that is gone and of which no plan tells where it was."""


class PlanHosts:
    """Tells the hosts of plans (outlines will do); made for one question, as it looks once which stacks are there.

    A stack that is gone meanwhile is where its compose file said, by the plan itself or another one that wrote it.
    What is of no stack, such as the lab's own files, is on the lab's own machine.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab.whole

    def touched(self, plan: Plan) -> set[str]:
        """Those that it changed anything of, also what follows from the lab (``core/derived``)."""
        draft, stacks = plan.draft, touched_stacks(plan.draft)
        own = not stacks or any("/" not in e.path for e in (*draft.edits, *draft.adopts))
        return {*(self.of_stack(stack, plan) for stack in stacks), *([LOCAL] if own else [])}

    def taken_back(self, plan: Plan) -> set[str]:
        """Those that taking it back changes something of; what follows from the lab is made anew and not counted."""
        draft = plan.draft
        paths = [e.path for e in draft.edits if not e.derived] + [e.path for e in draft.adopts]
        paths += [p for m in draft.moves for p in (m.source, m.target) if not p.startswith(".")]
        return {self.of_path(path, plan) for path in paths} or self.touched(plan)

    def of_path(self, path: str, plan: Plan) -> str:
        """The host that this path of the lab is on."""
        stack, slash, _ = path.partition("/")
        return self.of_stack(stack, plan) if slash else LOCAL

    def of_stack(self, stack: str, plan: Plan) -> str:
        """The host of a stack that the plan touched; ``UNKNOWN`` where nothing tells it."""
        if stack in self._homes or stack.startswith("."):
            return self._homes.get(stack, LOCAL)
        return next((host for one in self._writers(stack, plan) if (host := self._said(one, stack))), UNKNOWN)

    def _writers(self, stack: str, plan: Plan) -> Iterator[Plan]:
        """The plan itself, then others that wrote the stack's compose file: the newest before it first."""
        yield plan
        wrote = [p for p in self._ended if p.id != plan.id and _compose_texts(p.draft, stack)]
        yield from (p for p in wrote if p.created <= plan.created)
        yield from (p for p in reversed(wrote) if p.created > plan.created)

    def _said(self, plan: Plan, stack: str) -> str:
        if not _compose_texts(plan.draft, stack):
            return UNKNOWN
        try:
            texts = _compose_texts(self._lab.plans.get(plan.id).draft, stack)
        except HomelabError:
            # Its key is not there: a plan's contents can be told by nobody.
            return UNKNOWN
        return next((host_of(text) for text in texts if text is not None), UNKNOWN)

    @cached_property
    def _ended(self) -> list[Plan]:
        from homelab_mcp.queries.history import MOST

        return sorted((p for p, _ in self._lab.plans.ended(MOST)), key=lambda p: p.created, reverse=True)

    @cached_property
    def _homes(self) -> dict[str, str]:
        return {name: self._home(path) for name, path in self._lab.files.stack_folders()}

    def _home(self, path: str) -> str:
        try:
            return host_of(self._lab.files.read(path) or "")
        except HomelabError:
            return host_of("")


def _compose_texts(draft: Draft, stack: str) -> list[str | None]:
    """What the stack's compose file was before and after; of an outline nothing but that there were such."""
    edits = [e for e in (*draft.edits, *draft.adopts) if e.path.partition("/")[0] == stack]
    return [text for e in edits if e.path.partition("/")[2] in COMPOSE_NAMES for text in (e.before, e.after)]


def changed_here(lab: Lab) -> Callable[[Plan], bool]:
    """Tells whether a plan changed something of the host that the lab is seen through, or may have."""
    hosts = PlanHosts(lab)
    return lambda plan: not {lab.seen, UNKNOWN}.isdisjoint(hosts.touched(plan))
