"""What the linter found in a lab, kept for as long as nothing that it looked at has changed.

The lab after one plan is the lab before the next: without this a plan takes twice the time, nearly all of it for what
was judged a moment ago.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Finding
from homelab_mcp.model.lab import LintSettings

_KEPT = 4
"""Labs as they were or would be; each is held with its texts."""

_Asked = dict[tuple[int, str, str], Any]
"""(which stack, what it asked for, path) -> the answer, or the refusal's class and words."""

_READERS = ("read", "exists", "names")


def lint_remembered(stacks: Sequence[LintStack], *, facts: LabFacts, settings: LintSettings) -> tuple[Finding, ...]:
    """As ``lint``. What was found before is given again only if all that it was read from is the same."""
    key = (
        tuple((s.name, s.file, s.text, tuple(sorted(s.env.items())), s.others) for s in stacks),
        _frozen([getattr(facts, name) for name in LabFacts.__slots__]),
        settings.model_dump_json(),
    )
    with _lock:
        kept = _memory.get(key)
    if kept is not None and all(_answer(getattr(stacks[n], what), path) == a for (n, what, path), a in kept[0].items()):
        return kept[1]
    asked: _Asked = {}
    found = lint([_told(s, n, asked) for n, s in enumerate(stacks)], facts=facts, settings=settings)
    with _lock:
        _memory[key] = asked, found
        _memory.move_to_end(key)
        while len(_memory) > _KEPT:
            _memory.popitem(last=False)
    return found


def forget() -> None:
    """Begin anew, as a fresh process does."""
    with _lock:
        _memory.clear()


_memory: OrderedDict[Hashable, tuple[_Asked, tuple[Finding, ...]]] = OrderedDict()
_lock = threading.Lock()


def _told(stack: LintStack, number: int, asked: _Asked) -> LintStack:
    """The stack with readers that write down what they are asked for."""

    def listening(what: str, ask: Callable[[str], Any]) -> Callable[[str], Any]:
        def answer(path: str) -> Any:
            try:
                found = ask(path)
            except (HomelabError, OSError) as error:
                asked[number, what, path] = _refusal(error)
                raise
            asked[number, what, path] = tuple(found) if isinstance(found, list) else found
            return found

        return answer

    readers: dict[str, Any] = {}
    for what in _READERS:
        ask = getattr(stack, what)
        if ask is not None:
            readers[what] = listening(what, ask)
    return replace(stack, **readers)


def _answer(ask: Callable[[str], Any] | None, path: str) -> Any:
    if ask is None:
        return _NOBODY
    try:
        found = ask(path)
    except (HomelabError, OSError) as error:
        return _refusal(error)
    return tuple(found) if isinstance(found, list) else found


_NOBODY = object()


def _refusal(error: Exception) -> tuple[type, str]:
    return type(error), str(error)


def _frozen(value: Any) -> Hashable:
    """A value as something that can be compared and hashed."""
    if isinstance(value, Mapping):
        return tuple(sorted((k, _frozen(v)) for k, v in value.items()))
    if isinstance(value, (set, frozenset)):
        return frozenset(value)
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return value  # type: ignore[no-any-return]
