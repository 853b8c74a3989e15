"""Which of many words another can have meant, at a cost that does not grow with the number of them.

``difflib`` compares with each: a lab with a thousand names that nobody has took a million comparisons.
"""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from homelab_mcp.core.checks.view import Lab

_ALL = 200
"""So many words are compared one by one; of more those only that begin or end most like the one asked about."""
_AROUND = 24


def around(words: Iterable[str], word: str) -> Sequence[str]:
    """Those to compare with, for a single question."""
    return Words(words).around(word)


class Words:
    """Words, put in order once, and what was asked of them."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(set(words))
        self._backwards = sorted(word[::-1] for word in self._words) if len(self._words) > _ALL else []
        self._asked: dict[tuple[str, float], str] = {}

    def around(self, word: str) -> Sequence[str]:
        """Those to compare with: a slip leaves the greater part of a word's beginning or of its end."""
        if len(self._words) <= _ALL:
            return self._words
        found = dict.fromkeys(_beside(self._words, word))
        found.update(dict.fromkeys(w[::-1] for w in _beside(self._backwards, word[::-1])))
        return list(found)

    def near(self, word: str, cutoff: float = 0.6) -> str:
        """The one that is most like it, "" where none is; looked for once."""
        key = (word, cutoff)
        if key not in self._asked:
            found = difflib.get_close_matches(word, self.around(word), n=1, cutoff=cutoff)
            self._asked[key] = found[0] if found else ""
        return self._asked[key]


def _beside(words: Sequence[str], word: str) -> Sequence[str]:
    place = bisect_left(words, word)
    return words[max(0, place - _AROUND) : place + _AROUND]


def near_host(lab: Lab, host: str, cutoff: float) -> str:
    """The host name of the lab that is most like another, "" where none is."""
    words: Words | None = lab.memo.get("words of hosts")
    if words is None:
        words = lab.memo["words of hosts"] = Words(lab.hosts)
    return words.near(host, cutoff)
