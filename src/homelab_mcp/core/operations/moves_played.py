"""Moves of data played on names alone: which can be made one after another, with places that lie in one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Played:
    """The moves that can be made, in their order, and those that cannot."""

    done: tuple[Pair, ...]
    left: tuple[Pair, ...]

    def changed(self, path: str) -> bool:
        """Whether something else is there after these moves than before."""
        return _origin(path, self.done) != path or _holds_brought(path, self.done)


def play(pairs: Sequence[Pair], exists: Callable[[str], bool]) -> Played:
    """Which of these moves, each (from, to), can be made; one that waits for another to free its place comes after it.

    An apply knows what it moves by what is there before its first move: nothing moves that another move brings.
    """
    left, done = list(pairs), list[Pair]()
    while found := next((p for p in left if _can_be(*p, done, exists)), None):
        left.remove(found)
        done.append(found)
    return Played(tuple(done), tuple(left))


def around(one: str, other: str) -> bool:
    """Whether these are the same place, or one lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def mixed_with(pair: Pair, before: Sequence[Pair]) -> Pair | None:
    """That of the earlier moves which this one would mix with: no apply makes both.

    A part may move before the folder around it, and the very place that an earlier move has left may be filled.
    """
    source, target = pair
    free = any(target == from_ for from_, _ in before)
    for from_, to in before:
        gone = _within(source, from_) or _within(source, to)
        taken = _within(target, to) or (_within(to, target) and not free)
        if gone or taken or (target != from_ and _within(target, from_)):
            return from_, to
    return None


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _can_be(here: str, there: str, done: Sequence[Pair], exists: Callable[[str], bool]) -> bool:
    # Nothing moves into itself.
    if there.startswith(f"{here}/") or mixed_with((here, there), done):
        return False
    if _origin(here, done) != here or not exists(here) or _holds_brought(there, done):
        return False
    origin = _origin(there, done)
    if origin is None:
        return any(there == source for source, _ in done)
    return not exists(origin) and not exists(there)


def _holds_brought(path: str, done: Sequence[Pair]) -> bool:
    return any(target.startswith(f"{path}/") for _, target in done)


def _origin(path: str, done: Sequence[Pair]) -> str | None:
    """Where what is at a path after these moves was before them; None where they took it away."""
    for here, there in reversed(done):
        if path == there or path.startswith(f"{there}/"):
            path = f"{here}{path.removeprefix(there)}"
        elif path == here or path.startswith(f"{here}/"):
            return None
    return path
