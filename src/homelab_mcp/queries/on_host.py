"""What of a lab with several Docker hosts belongs to one of them, and whether what is named is there."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import find_in, read_stacks
from homelab_mcp.queries.other_hosts import other_hosts

ALL = "all"
_POINTS = ("before", "after")
OWN = "."
"""A lab's own files, where a stack is asked for."""


@dataclass(frozen=True, slots=True)
class Named:
    """The arguments of a question or request that name something which is on a host.

    Args:
        stacks: a stack, a path in the lab, or "." for the lab's own files.
        services: a service or a list of them, as ``queries.find`` takes them, each perhaps with ``=TAG``.
        plan: an applied plan; with ``to`` (before or after) beside it all since are meant.
        groups: whether ``stack:NAME`` and ``category:NAME`` among services mean all in it.
    """

    stacks: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    plan: str = ""
    groups: bool = False

    def any_in(self, given: Mapping[str, Any]) -> bool:
        """Whether something was named."""
        return any(given.get(name) for name in (*self.stacks, *self.services, self.plan))


def lab_on(lab: Lab, host: str) -> Lab:
    """The lab seen through that host; "all" is the whole lab. Raises what ``Lab.on`` raises."""
    return lab.whole if host == ALL and ALL not in other_hosts(lab.files) else lab.on(host)


def in_view(lab: Lab) -> Callable[[str], bool]:
    """Tells whether a stack, ``stack/service`` or a path in the lab is of the host that the lab is seen through.

    What is of no stack, such as the lab's own files, is on the lab's own machine.
    """
    if not lab.seen:
        return lambda place: True
    mine = {name for name, _ in lab.files.stack_folders()}
    every = {name for name, _ in lab.whole.files.stack_folders()}
    own = lab.seen == LOCAL

    def seen(place: str) -> bool:
        stack = place.partition("/")[0]
        return stack in mine or (own and stack not in every)

    return seen


def own_machine(lab: Lab) -> bool:
    """Whether the lab's own machine is looked at."""
    return lab.seen in ("", LOCAL)


def placed(lab: Lab, named: Named, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, once all that they name is on the host that the lab is seen through.

    Of several services of one name the host's own is meant. What is nowhere is left for whoever is asked to tell.

    Args:
        lab: seen through a host.
        named: which arguments name something.
        given: the arguments; those of another kind than expected are left as they are.

    Raises:
        InvalidInput: something is on another host (``other_host``).
    """
    if not lab.seen:
        return dict(given)
    look = _Look(lab, named)
    found = dict(given)
    for name in named.stacks:
        if isinstance(word := given.get(name), str) and word:
            look.stack(word)
    scope = found.get("stack") if "stack" in named.stacks else ""
    for name in named.services:
        word = given.get(name)
        if isinstance(word, str) and word:
            found[name], stack = look.service(word, scope if isinstance(scope, str) else "")
            if stack and "stack" in named.stacks:
                found["stack"], found[name] = stack, word
        elif isinstance(word, list):
            found[name] = [one for each in word for one in look.services(each, scope)]
    if named.plan and isinstance(word := given.get(named.plan), str):
        to = point if (point := given.get("to")) in _POINTS else ""
        # A stack is all that is put back only together with a point in time.
        if not (to and found.get("stack")):
            look.plan(word, to)
    return found


class _Look:
    def __init__(self, lab: Lab, named: Named) -> None:
        self._lab, self._named = lab, named
        self._stacks = read_stacks(lab.whole.files)
        self._homes = {s.name: host_of(s.compose_text) for s in self._stacks}
        self._mine: tuple[StackFiles, ...] = tuple(s for s in self._stacks if self._homes[s.name] == lab.seen)

    def stack(self, word: str) -> None:
        if word == OWN:
            self._refuse("What is the lab's own", {LOCAL})
            return
        first = posixpath.normpath(word).removeprefix(self._lab.root).strip("/").partition("/")[0]
        if first in self._homes:
            self._refuse(f"Stack {first}", {self._homes[first]})

    def services(self, word: Any, scope: Any) -> Sequence[Any]:
        if not isinstance(word, str):
            return [word]
        kind, colon, rest = word.partition(":")
        if self._named.groups and colon and kind == "stack":
            self.stack(rest)
            return [word]
        if self._named.groups and colon and kind == "category":
            return self._of_category(word)
        return [self.service(word, scope if isinstance(scope, str) else "")[0]]

    def _of_category(self, word: str) -> Sequence[str]:
        from homelab_mcp.core.access_labels import targets_of
        from homelab_mcp.core.operations.lab_view import view
        from homelab_mcp.model.observed import Snapshot

        try:
            return [t.service.where for t in targets_of(view(Snapshot(self._mine, None)), [word])]
        except NotFound:
            every = targets_of(view(Snapshot(self._stacks, None)), [word])
            self._refuse(f"All of {word}", {self._homes[t.service.stack] for t in every})
            return [word]

    def service(self, word: str, scope: str) -> tuple[str, str]:
        """The word by which it is found, and its stack where that alone says which of several is meant."""
        name, tagged, tag = word.partition("=")
        try:
            stack, service = find_in(self._mine, name, scope)
        except InvalidInput:
            return word, ""
        except NotFound:
            self._refuse(*self._elsewhere(name, scope))
            return word, ""
        try:
            find_in(self._stacks, name, scope)
        except InvalidInput:
            return f"{stack}/{service}{tagged}{tag}", stack
        return word, ""

    def _elsewhere(self, name: str, scope: str) -> tuple[str, set[str]]:
        try:
            places = [find_in(self._stacks, name, scope)]
        except NotFound:
            return "", set()
        except InvalidInput as error:
            places = [(pair[0], pair[1]) for pair in error.details.get("candidates", ())]
        return " and ".join("/".join(place) for place in places), {self._homes[stack] for stack, _ in places}

    def plan(self, plan_id: str, to: str) -> None:
        """Refuse plans of which one is of another host as well: taking them back would change that, too."""
        from homelab_mcp.queries.history import taken_back
        from homelab_mcp.queries.plan_hosts import UNKNOWN, PlanHosts

        try:
            meant = self._lab.plans.outline(plan_id)
            plans, paths = taken_back(self._lab.whole, plan_id, to)
        except HomelabError:
            return
        hosts = PlanHosts(self._lab)
        homes = {host for plan in plans for host in hosts.taken_back(plan)}
        homes |= {hosts.of_path(path, meant) for path in paths}
        what = "What was changed since" if to else "What that plan changed"
        if self._lab.seen not in homes and UNKNOWN not in homes:
            self._refuse(what, homes)
        elif others := homes - {self._lab.seen}:
            where = " and ".join(f"host {h}" if h else "a host that nobody can tell" for h in sorted(others))
            raise InvalidInput(
                f"{what} is not on host {self._lab.seen} alone, but also on {where}.",
                hint="Ask without host, or with `to` and a stack.",
                code="other_host",
            )

    def _refuse(self, what: str, homes: set[str]) -> None:
        if not homes or self._lab.seen in homes:
            return
        where = " and ".join(sorted(homes))
        raise InvalidInput(
            f"{what} is on host {where}, not on {self._lab.seen}.",
            hint=f"Ask with host={sorted(homes)[0]}, or without host.",
            code="other_host",
            details={"host": sorted(homes)[0]},
        )
