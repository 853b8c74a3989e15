"""What looks like a leak and what does not, on made series; and the ring that keeps them."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from homelab_mcp.adapters.usage_log import JsonlUsageLog
from homelab_mcp.core.usage_series import Point, Sample, growth, parse_sample, series, since_restart, summary

MIB = 2**20
STEP = 300.0


def made(memory: list[float], *, limit: int = 0, restarts: list[int] | None = None) -> list[tuple[float, Point]]:
    again = restarts or [0] * len(memory)
    return [
        (n * STEP, Point(int(m * MIB), 0.1, 5, r, limit)) for n, (m, r) in enumerate(zip(memory, again, strict=True))
    ]


def noise(count: int, by: float, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [chance.uniform(-by, by) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_rise_is_a_leak_with_its_rate(seed: int) -> None:
    memory = [200 + n * 1.0 + e for n, e in zip(range(288), noise(288, 15, seed), strict=True)]
    found = growth(made(memory, limit=1024 * MIB))
    assert found is not None
    assert found.per_hour / MIB == pytest.approx(12, rel=0.1)
    assert found.hours_left is not None
    assert found.hours_left == pytest.approx((1024 - 487) / 12, rel=0.15)


@pytest.mark.parametrize(
    ("what", "memory"),
    [
        ("flat", [300 + e for e in noise(288, 20)]),
        ("falling", [500 - n * 0.5 for n in range(288)]),
        ("a cache that fills up and stays", [200 + 300 * (1 - math.exp(-n / 25)) for n in range(288)]),
        ("a collector's saw-tooth", [200 + (n % 24) * 6 for n in range(288)]),
        ("day and night", [300 + 100 * math.sin(n / 288 * 2 * math.pi * 2) for n in range(288)]),
        ("one step", [200.0] * 144 + [400.0] * 144),
        ("too little", [200 + n * 0.05 for n in range(288)]),
        ("too short", [200 + n * 10 for n in range(11)]),
    ],
)
def test_what_is_no_leak(what: str, memory: list[float]) -> None:
    assert growth(made(memory)) is None, what


def test_only_what_came_after_the_last_restart_counts() -> None:
    memory = [200 + n * 2.0 for n in range(100)] + [200.0 + n * 0.01 for n in range(60)]
    assert growth(made(memory)) is None
    counted = made([200 + n * 2.0 for n in range(100)], restarts=[0] * 90 + [1] * 10)
    assert len(since_restart(counted)) == 10
    assert summary(counted)["restarts"] == 1


def test_samples_come_back_and_rubbish_does_not() -> None:
    sample = Sample(1_770_000_000.0, {"media/sonarr": Point(5, 0.25, 7, 1, 9)})
    assert parse_sample(sample.as_line()) == sample
    for line in ("", "{", "[]", '{"t":1}', '{"t":1,"s":{"a":[1]}}', '{"t":"x","s":{}}'):
        assert parse_sample(line) is None
    assert series([sample], "other") == []


def test_the_ring_stays_small_and_keeps_the_newest(tmp_path: Path) -> None:
    log = JsonlUsageLog(str(tmp_path), most=4_000)
    for n in range(300):
        log.append(Sample(float(n), {f"s/{k}": Point(n, 0.1, 2) for k in range(3)}))
    path = tmp_path / ".homelab" / "usage.jsonl"
    assert path.stat().st_size <= 4_000
    assert path.stat().st_mode & 0o777 == 0o600
    times = [s.time for s in log.samples()]
    assert times == sorted(times)
    assert times[-1] == 299.0
    assert len(times) > 15
    assert [s.time for s in log.samples(298)] == [298.0, 299.0]
    path.write_text(path.read_text() + '{"t": half')
    assert log.samples()[-1].time == 299.0
