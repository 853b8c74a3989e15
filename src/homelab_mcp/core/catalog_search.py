"""Search over the catalog's records: by name, by what a service replaces, by what it does, and by what it needs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher

from homelab_mcp.core.catalog_index import Record
from homelab_mcp.core.catalog_words import Question, read, stems

_EXACT, _ALIAS, _REPLACED, _BEGINS = 1000.0, 900.0, 700.0, 400.0
_SPAN_NAME, _SPAN_ALIAS, _SPAN_REPLACED = 10.0, 9.0, 10.0
"""What a name among other words counts: little more than they, as it often says only beside what ("redis keys gui")."""
_COVER = 64.0
"""What it counts that all the words fit, falling with the square of their share."""
_RARE = 1.2
"""The power of a word's rarity."""
_OTHER = 0.8
"""What another word for the same counts."""
_FAR = 60.0
"""The most by which what is behind is measured."""
_LIKE = 40.0
"""What a name that is spelled alike counts, times how alike it is."""
_ALIKE_ENOUGH, _TRIED = 0.65, 12
_NOISE = 0.12
_ASIDE = 0.25
"""What a name counts that only says where or for whom ("subtitles for Sonarr")."""
_WEIGHTS = (
    ("name", 6.0),
    ("aliases", 5.0),
    ("does", 3.5),
    ("keywords", 2.5),
    ("summary", 2.5),
    ("replaces", 2.0),
    ("category", 1.5),
)


class Index:
    """Records, ready to be searched.

    Args:
        records: in any order.
        fold: how names are compared.
    """

    def __init__(self, records: Iterable[Record], fold: Callable[[str], str]) -> None:
        self._records = sorted(records, key=lambda record: record.id)
        self._names: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._postings: dict[str, dict[int, float]] = defaultdict(dict)
        self._pairs: dict[str, set[str]] = defaultdict(set)
        for place, record in enumerate(self._records):
            self._add(place, record, fold)
        for name in self._names:
            for pair in _pairs_of(name):
                self._pairs[pair].add(name)

    def _add(self, place: int, record: Record, fold: Callable[[str], str]) -> None:
        for kind, names in (
            (_EXACT, (record.id, record.name)),
            (_ALIAS, record.aliases),
            (_REPLACED, record.replaces),
        ):
            for name in {fold(name) for name in names}:
                self._names[name].append((place, kind))
        texts = {
            "name": f"{record.id} {record.name}",
            "aliases": " ".join(record.aliases),
            "does": record.does,
            "keywords": " ".join(record.keywords),
            "summary": record.summary,
            "replaces": " ".join(record.replaces),
            "category": f"{record.category} {record.stack}",
        }
        for field, weight in _WEIGHTS:
            for word in set(stems(texts[field])):
                held = self._postings[word]
                held[place] = max(held.get(place, 0.0), weight)

    def search(self, query: str, allowed: Callable[[Record], bool] | None = None) -> list[Record]:
        """Records that fit, best first; equal ones in order of their id. An empty query fits all."""
        fits = [allowed is None or allowed(record) for record in self._records]
        question = read(query)
        if not question.folded:
            return [record for place, record in enumerate(self._records) if fits[place] and _can(record, question)]
        scores: dict[int, float] = defaultdict(float)
        self._by_name(question, scores)
        self._by_words(question, scores)
        for place in self._only_aside(question):
            scores[place] *= _ASIDE
        found = [p for p in scores if scores[p] > 0 and fits[p] and _can(self._records[p], question)]
        best = max((scores[place] for place in found), default=0.0)
        # What is far behind the best is noise that a reader would have to sort out.
        kept = [place for place in found if scores[place] >= min(best, _FAR) * _NOISE]
        return [self._records[place] for place in sorted(kept, key=lambda p: (-scores[p], self._records[p].id))]

    # --- names ------------------------------------------------------------------------------------------------------

    def _by_name(self, question: Question, scores: dict[int, float]) -> None:
        whole = self._names.get(question.folded, [])
        for place, kind in whole:
            scores[place] += _REPLACED if question.instead and kind == _EXACT else kind
            if question.instead and kind != _REPLACED:
                scores[place] -= kind
        if not whole and len(question.folded) > 2:
            for name in self._beginning_with(question.folded):
                for place, kind in self._names[name]:
                    if kind != _REPLACED:
                        scores[place] += _BEGINS * len(question.folded) / len(name) * (0.5 if kind == _ALIAS else 1)
        met = False
        for span in question.spans:
            for place, kind in self._names.get(span, []):
                met = True
                worth = {_EXACT: _SPAN_NAME, _ALIAS: _SPAN_ALIAS, _REPLACED: _SPAN_REPLACED}[kind]
                if span in question.aside:
                    worth *= _ASIDE
                if question.instead:
                    # What is to be replaced is not the answer.
                    worth = 2 * worth if kind == _REPLACED else -worth
                scores[place] += worth
        if not met and not whole:
            self._by_likeness(question, scores)

    def _only_aside(self, question: Question) -> set[int]:
        """Who is named as that which the service is for ("subtitles for Sonarr"), and in no other way."""
        aside: set[int] = set()
        meant = {place for place, _ in self._names.get(question.folded, [])}
        for span in question.spans:
            for place, kind in self._names.get(span, []):
                if span not in question.aside:
                    meant.add(place)
                elif kind == _EXACT:
                    aside.add(place)
        return aside - meant

    def _beginning_with(self, text: str) -> list[str]:
        near = self._pairs.get(text[:2], set())
        return [name for name in near if name.startswith(text)]

    def _by_likeness(self, question: Question, scores: dict[int, float]) -> None:
        unknown = [words[0] for words in question.words if not any(word in self._postings for word in words)]
        best: dict[int, float] = {}
        for asked in dict.fromkeys((question.folded, *unknown)) if unknown else ():
            shared: Counter[str] = Counter(name for pair in _pairs_of(asked) for name in self._pairs.get(pair, ()))
            for name, _ in shared.most_common(_TRIED):
                likeness = SequenceMatcher(None, asked, name).ratio()
                if likeness < _ALIKE_ENOUGH:
                    continue
                for place, kind in self._names[name]:
                    worth = _LIKE * likeness * (1 if kind == _EXACT else 0.7)
                    best[place] = max(best.get(place, 0.0), worth)
        for place, worth in best.items():
            scores[place] += worth

    # --- words ------------------------------------------------------------------------------------------------------

    def _by_words(self, question: Question, scores: dict[int, float]) -> None:
        hits: Counter[int] = Counter()
        for words in question.words:
            best: dict[int, float] = {}
            for rank, word in enumerate(words):
                held = self._postings.get(word, {})
                rare = math.log(1 + len(self._records) / len(held)) if held else 0.0
                for place, weight in held.items():
                    best[place] = max(best.get(place, 0.0), weight * rare**_RARE * (1.0 if rank == 0 else _OTHER))
            for place, worth in best.items():
                scores[place] += worth
                hits[place] += 1
        for place, count in hits.items():
            # All the words in one entry say more than one word often.
            scores[place] += _COVER * (count / len(question.words)) ** 2


def _pairs_of(name: str) -> list[str]:
    framed = f"^{name}$"
    return [name[:2], *(framed[i : i + 2] for i in range(len(framed) - 1))] if name else []


def _can(record: Record, question: Question) -> bool:
    if question.no_database and "database" in record.roles:
        return False
    if question.arm and not {"arm64", "arm"} & set(record.architectures):
        return False
    if question.gpu and not record.gpu:
        return False
    return not question.memory or record.memory <= question.memory


def needs(record: Record) -> str:
    """What a service needs, in one short phrase for a list of matches."""
    parts: Sequence[str] = [f"{record.memory} MiB", *dict.fromkeys(record.roles)]
    return ", ".join(parts)
