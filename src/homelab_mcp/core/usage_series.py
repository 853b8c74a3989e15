"""What services used over time: samples, their summary, and growth that looks like a leak."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

LEAST_SAMPLES = 12
LEAST_HOURS = 2.0
LEAST_GROWTH = 32 * 2**20
LEAST_SHARE = 0.2
STEADY = 0.6
STILL = 0.35
_MOST_POINTS = 60


@dataclass(frozen=True, slots=True)
class Point:
    """One service at one moment: memory in bytes, processors, processes, restarts so far; ``limit`` 0 for none."""

    memory: int
    cpus: float
    pids: int
    restarts: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """All services (``stack/service``) at one moment, Unix seconds."""

    time: float
    points: Mapping[str, Point] = field(default_factory=dict)

    def as_line(self) -> str:
        """The sample as one short line of JSON."""
        points = {
            name: [p.memory, round(p.cpus * 1000), p.pids, p.restarts, p.limit] for name, p in self.points.items()
        }
        return json.dumps({"t": round(self.time), "s": points}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Growth:
    """Memory that rises and does not come back: bytes an hour, over how many hours, from where to where.

    ``hours_left`` until the limit is reached at that rate; None without a limit.
    """

    per_hour: float
    hours: float
    start: int
    end: int
    hours_left: float | None = None


def parse_sample(line: str) -> Sample | None:
    """The sample of a line; None for a line that is none (half written, edited)."""
    try:
        raw = json.loads(line)
        points = {
            str(name): Point(int(p[0]), float(p[1]) / 1000, int(p[2]), int(p[3]), int(p[4]))
            for name, p in raw["s"].items()
        }
        return Sample(float(raw["t"]), points)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None


def series(samples: Iterable[Sample], service: str) -> list[tuple[float, Point]]:
    """(time, point) of one service, in time order."""
    return sorted(((s.time, s.points[service]) for s in samples if service in s.points), key=lambda one: one[0])


def since_restart(points: Sequence[tuple[float, Point]]) -> list[tuple[float, Point]]:
    """The part of a series after the service's last restart: another count, or memory that fell by more than half."""
    start = 0
    for n in range(1, len(points)):
        before, now = points[n - 1][1], points[n][1]
        if now.restarts != before.restarts or now.memory < before.memory / 2:
            start = n
    return list(points[start:])


def growth(points: Sequence[tuple[float, Point]]) -> Growth | None:
    """What looks like a leak in a series, None where nothing does.

    Called a leak is memory that since the last restart, over two hours and twelve samples at least, rose by a fifth
    and 32 MiB, rose in most pairs of moments, and still rises in the second half: a cache that fills up and stays,
    or a collector's saw-tooth, is none.
    """
    run = since_restart(points)
    if len(run) < LEAST_SAMPLES or run[-1][0] - run[0][0] < LEAST_HOURS * 3600:
        return None
    step = max(-(-len(run) // _MOST_POINTS), 1)
    line = [(t, float(p.memory)) for t, p in run[::step]]
    slope, steady = _trend(line)
    hours = (run[-1][0] - run[0][0]) / 3600
    middle = len(line) // 2
    start, end = median(m for _, m in line[:3]), median(m for _, m in line[-3:])
    risen = end - start
    if slope <= 0 or steady < STEADY or risen < max(LEAST_GROWTH, start * LEAST_SHARE):
        return None
    if _trend(line[middle:])[0] < slope * STILL:
        return None
    per_hour = slope * 3600
    limit = run[-1][1].limit
    left = max(limit - end, 0) / per_hour if limit else None
    return Growth(per_hour, hours, int(start), int(end), left)


def _trend(line: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The median slope of all pairs (Theil and Sen), and how much more pairs rise than fall, -1 to 1 (Kendall)."""
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for n, a in enumerate(line) for b in line[n + 1 :] if b[0] > a[0]]
    if not slopes:
        return 0.0, 0.0
    return median(slopes), sum((s > 0) - (s < 0) for s in slopes) / len(slopes)


def summary(points: Sequence[tuple[float, Point]]) -> dict[str, float | int]:
    """Least, usual and most memory (MiB) and processors, and restarts within a series; not for an empty one."""
    memory = sorted(p.memory for _, p in points)
    cpus = [p.cpus for _, p in points]
    restarts = sum(max(b[1].restarts - a[1].restarts, 0) for a, b in pairwise(points))
    return {
        "mem_min_mb": memory[0] // 2**20,
        "mem_median_mb": int(median(memory)) // 2**20,
        "mem_max_mb": memory[-1] // 2**20,
        "cpu_avg": round(sum(cpus) / len(cpus), 3),
        "cpu_max": round(max(cpus), 3),
        "restarts": restarts,
        "samples": len(points),
    }
