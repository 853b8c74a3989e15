"""The figures of ``docs/scale.md`` that are a run's: put there by ``script/bench all --write``, held by a test.

Its words, and the memory of each size, are of a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.lines import Line
from bench.scale import SIZES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
FIGURE = r"[\d,.]+"


def rewritten(page: str, lines: Iterable[Line]) -> str:
    """The page with this run's figures; as it was where the run did not measure all of them.

    Raises ValueError where the page has no such sentence, or has it twice.
    """
    found = {line.what: line for line in lines}
    try:
        wanted = list(_sentences(found))
    except KeyError:
        return page
    for words, figures in wanted:
        parts = [r"\s+".join(map(re.escape, part.split(" "))) for part in words.split("#")]
        pattern = f"({parts[0]})" + "".join(f"{FIGURE}({part})" for part in parts[1:])
        filled = "".join(f"\\g<{n}>{figure}" for n, figure in enumerate(figures, 1)) + f"\\g<{len(parts)}>"
        page, count = re.subn(pattern, filled, page)
        if count != 1:
            raise ValueError(f"{PAGE.name} says {count} times: {words}")
    return page


def _sentences(found: dict[str, Line]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each sentence or row with # for its figures, and those. Raises KeyError where a line was not measured."""
    for hosts, containers in SIZES:
        line = found[f"lab_status, {containers:,} simulated containers on {hosts} host{'s' * (hosts > 1)}"]
        figures = (f"{line.ours:,.1f}", f"{line.ours / containers:.2f}", f"{line.floor:,.1f}")
        yield f"| {hosts} | {containers:,} | # ms | # ms | # ms |", figures
    growth = found["lab_status growth, 1,000 to 10,000 containers"]
    yield "the time grows # times", (f"{10 * growth.ratio:.1f}",)
    plan, first = (
        found[what].ours / 1000
        for what in ("plan of add_service, 1,000 services", "the first plan of a process, 1,000 services")
    )
    said = "# s of processor time at 1,000 services, # s for the first of a process"
    yield said, (f"{plan:.1f}", f"{first:.1f}")
    yield "1,000 services it grew # times", (f"{10 * found['plan growth, 100 to 1,000 services'].ratio:.1f}",)
