"""What the catalog costs: compiling it, loading what was compiled, the first search, and searches at 1,000 entries.

Run: ``python -m bench.catalog``. Prints the best of several rounds, milliseconds of this process. Aims: loading under
10, a search under 5.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.lines import Line, in_turn, show
from homelab_mcp.adapters.catalog_files import packaged_catalog
from homelab_mcp.core.catalog import Catalog, fold
from homelab_mcp.core.catalog_search import Index

QUESTIONS = (
    "jellyfin",
    "alternative to google photos",
    "block ads on my network",
    "grafanna",
    "wiki without a database",
)


def best(work: Callable[[], object], rounds: int) -> float:
    """Milliseconds of the quickest round."""
    found = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found) * 1000


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"

        def compile_anew() -> None:
            cache.unlink(missing_ok=True)
            packaged_catalog(cache=cache)

        print(f"compiling              {best(compile_anew, 2):8.1f} ms")
        print(f"loading the compiled   {best(lambda: Catalog([], packed=packaged_catalog(cache=cache)), 15):8.1f} ms")
        records = [one.record for one in packaged_catalog(cache=cache)]
    print(f"index of {len(records):4} entries  {best(lambda: Index(records, fold), 5):8.1f} ms")
    many = [replace(r, id=f"{r.id}-{n}") for n in range(1000 // len(records) + 1) for r in records][:1000]
    index = Index(many, fold)
    texts = [f"{r.id} {r.name} {r.summary}".casefold() for r in many]
    for question in QUESTIONS:
        print(f"search in 1000 entries {best(lambda q=question: index.search(q), 5):8.1f} ms  {question}")  # type: ignore[misc]

    def scan() -> int:
        return sum(word in text for question in QUESTIONS for word in question.split() for text in texts)

    ours, floor = in_turn(lambda: [index.search(question) for question in QUESTIONS], scan, 9)
    show(Line(f"catalog search, {len(QUESTIONS)} questions, 1,000 entries", "word in text, no ranking", ours, floor))


if __name__ == "__main__":
    main()
