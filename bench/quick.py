"""A few ratios that are alike on any machine, however busy it is: the gate that every run of the tests goes through.

All of it is processor time of this one process, ours and its floor in turn, the smaller of two measurements where the
first is over. Bounds are twice and more of what was seen on machines at ten to twenty times their load: only a
change of ours exceeds them, such as a step that became quadratic, or several times the work for the same answer. What
seconds mean is for ``script/bench`` to say.

Run: ``python -m bench.quick``. Exit code 1 where a bound is exceeded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import yaml

from bench.catalog import QUESTIONS
from bench.journal import lines_of
from bench.lines import Line, in_turn, show
from bench.validate import stack
from homelab_mcp.adapters.catalog_files import packaged_catalog
from homelab_mcp.adapters.journal import JsonlJournal
from homelab_mcp.core.catalog import fold
from homelab_mcp.core.catalog_search import Index
from homelab_mcp.core.checks import LintStack, lint

ENTRIES = 300
SERVICES, SMALL, LARGE, GROWN = 2, 5, 20, 4
"""Services of a stack; stacks; how many times the smaller lab the larger is."""


def main() -> int:
    """Measure, show, and say whether all bounds are kept."""
    kept = True
    for line in lines():
        show(line)
        kept = kept and line.holds
    return 0 if kept else 1


def lines() -> Iterator[Line]:
    """Every line of the gate."""
    yield from _linting()
    yield _searching()
    yield _journal()


def _linting() -> Iterator[Line]:
    numbers = count()

    def fresh(stacks: int) -> list[LintStack]:
        # Services that were never seen: what the linter remembers of one is not what is measured here.
        return [stack(n, 100 * next(numbers), SERVICES) for n in range(stacks)]

    def parse() -> None:
        for each in fresh(LARGE):
            yaml.load(each.text, Loader=yaml.CSafeLoader)

    def small() -> None:
        for _ in range(GROWN):
            lint(fresh(SMALL))

    def large() -> None:
        lint(fresh(SMALL * GROWN))

    yield _line(f"linting {LARGE} stacks", "parsing them", 5.0, lambda: lint(fresh(LARGE)), parse, 3)
    yield _line(
        f"lint growth, {SMALL} to {SMALL * GROWN} stacks", "what linear growth would give", 1.3, large, small, 3
    )


def _searching() -> Line:
    with tempfile.TemporaryDirectory() as folder:
        records = [one.record for one in packaged_catalog(cache=Path(folder) / "cache")]
    many = [replace(r, id=f"{r.id}-{n}") for n in range(1000 // len(records) + 1) for r in records][:1000]
    index = Index(many, fold)
    texts = [f"{r.id} {r.name} {r.summary}".casefold() for r in many]

    def scan() -> int:
        return sum(word in text for question in QUESTIONS for word in question.split() for text in texts)

    ask: Callable[[], object] = lambda: [index.search(question) for question in QUESTIONS]  # noqa: E731
    return _line("catalog search, 1,000 entries", "word in text, no ranking", 4.0, ask, scan, 5)


def _journal() -> Line:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        (root / "homelab.yaml").write_text("domain: example.org\n", encoding="utf-8")
        journal = JsonlJournal(root)
        for number in range(ENTRIES):
            journal.append("bench", {"plan": f"{number:032x}", "stack": "media", "why": "an entry like any other"})

        def read() -> int:
            return lines_of(root / ".homelab", "journal*.jsonl")

        return _line(f"journal verify, {ENTRIES} entries", "reading and parsing them", 8.0, journal.verify, read, 5)


def _line(
    what: str,
    floor_name: str,
    bound: float,
    ours: Callable[[], object],
    floor: Callable[[], object],
    rounds: int,
) -> Line:
    """One ratio; measured again where it is over its bound: a processor that slows down half-way is not our fault."""
    found = Line(what, floor_name, 1.0, 0.0, bound=bound)
    for _ in range(2):
        us, them = in_turn(ours, floor, rounds)
        now = Line(what, floor_name, us, them, bound=bound)
        found = min(found, now, key=lambda line: line.ratio)
        if found.holds:
            break
    return found


if __name__ == "__main__":
    raise SystemExit(main())
