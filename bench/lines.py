"""One line of the table: what ours takes and what its floor takes, both measured in the same run.

A bench shows its lines as they come. With ``BENCH_LINES`` in the environment they are also added to that file, one
JSON object a line, from which ``bench.table`` makes the table.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison.

    Args:
        what: what was measured.
        floor_name: what it is compared with.
        ours: ours, in ``unit``.
        floor: the floor, in ``unit``.
        unit: ms, s, MB, or what else both are counted in.
        bound: the ratio that must not be passed; 0 where none is set.
        note: what a reader must know to believe it.
    """

    what: str
    floor_name: str
    ours: float
    floor: float
    unit: str = "ms"
    bound: float = 0.0
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over the floor."""
        return self.ours / self.floor if self.floor else float("inf")

    @property
    def shown(self) -> str:
        """The ratio as it is printed."""
        return f"{self.ratio:.2f}" if self.ratio >= 0.1 else f"{self.ratio:.3f}"

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return not self.bound or self.ratio <= self.bound


def show(line: Line) -> None:
    """Print the line, and add it to the file of ``BENCH_LINES``."""
    bound = f" (at most {line.bound:g})" if line.bound else ""
    print(
        f"{line.what}: {line.ours:.1f} {line.unit}; {line.floor_name} {line.floor:.1f} {line.unit}; "
        f"ratio {line.shown}{bound}",
        flush=True,
    )
    if path := os.environ.get("BENCH_LINES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(line)) + "\n")


def in_turn(ours: Callable[[], object], floor: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median milliseconds of processor time of both, in turn; the first turn warms.

    Processor time of this process with all its threads: what others do on the machine, and waiting for a disk or
    another process, does not count.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for call, spent in zip((ours, floor), times, strict=True):
            begun = time.process_time()
            call()
            if turn:
                spent.append(1000 * (time.process_time() - begun))
    return statistics.median(times[0]), statistics.median(times[1])
