"""How much is let through: token buckets, and requests at work."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MANY = 4096
"""Buckets kept; of more callers than that, the one heard of longest ago starts afresh."""


class Buckets:
    """A token bucket for each caller: ``burst`` at once, then ``rate`` a second. ``rate`` 0: no limit."""

    def __init__(self, rate: float, burst: int, now: Callable[[], float]) -> None:
        self._rate, self._burst, self._now = rate, float(burst), now
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take one; 0 where there was one, else the seconds until there is."""
        if not self._rate:
            return 0.0
        now = self._now()
        level, then = self._kept.pop(caller, (self._burst, now))
        level = min(self._burst, level + (now - then) * self._rate)
        wait = 0.0 if level >= 1.0 else (1.0 - level) / self._rate
        self._kept[caller] = (level if wait else level - 1.0, now)
        if len(self._kept) > MANY:
            self._kept.popitem(last=False)
        return wait


class Slots:
    """Requests at work, of all callers and of each."""

    def __init__(self, all_of_them: int, each: int) -> None:
        self._all, self._each = all_of_them, each
        self._at_work: Counter[str] = Counter()

    def full(self, caller: str) -> bool:
        """Whether one more of this caller would be too many."""
        return self._at_work.total() >= self._all or self._at_work[caller] >= self._each

    @contextmanager
    def hold(self, caller: str) -> Iterator[None]:
        """Count one request of the caller for the block."""
        self._at_work[caller] += 1
        try:
            yield
        finally:
            self._at_work[caller] -= 1
            if not self._at_work[caller]:
                del self._at_work[caller]
