"""Long logs: masked from the newest line back, in bounded memory and time, and never with half a secret."""

from __future__ import annotations

import base64
import random
import time
import tracemalloc
from collections.abc import Iterator
from functools import partial

import pytest

from homelab_mcp.core import log_lines
from homelab_mcp.core.log_lines import Place, Ring
from homelab_mcp.core.redact import Redactor
from homelab_mcp.queries import log_tail
from homelab_mcp.queries.log_tail import Tail, Wanted, tail_from


class Log:
    """An engine with one log; as the real one, it counts ``tail`` from the end and sends the oldest first."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def at(self, number: int) -> str:
        return f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000000000Z"

    def logs(
        self, container_id: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        numbered = [(self.at(n), "stdout", text) for n, text in enumerate(self.texts)]
        if until is not None:
            numbered = [line for line in numbered if log_lines.seconds_of(line[0]) <= until]
        yield from numbered[-tail:]


def read(log: Log, pattern: str = "", *, tail: int = 100, place: Place | None = None, seconds: float = 60.0,
         redactor: Redactor | None = None) -> Tail:  # fmt: skip
    known = redactor or Redactor()
    wanted = Wanted(tail, None, None, place, log_lines.matcher(pattern), bool(pattern), lambda: known,
                    time.monotonic() + seconds)  # fmt: skip
    return tail_from(partial(log.logs, "1"), "app", wanted)


def test_the_last_lines_and_whether_there_are_more() -> None:
    log = Log([f"line {n}" for n in range(2_500)])
    found = read(log)
    assert [line.text for line in found.lines] == [f"line {n}" for n in range(2_400, 2_500)]
    assert (found.older, found.reached) == (True, found.lines[0].time)
    whole = read(Log(["only"]))
    assert ([line.text for line in whole.lines], whole.older) == (["only"], False)
    assert read(Log([])).lines == []


def test_a_search_finds_the_newest_matches_and_all_of_the_few() -> None:
    log = Log([f"line {n}{' hit' if n % 7 == 0 else ''}" for n in range(5_000)])
    found = read(log, "hit", tail=10)
    assert [line.text for line in found.lines] == [f"line {n} hit" for n in range(4_935, 5_000, 7)]
    assert found.older
    rare = read(log, "^line (3|4999)$")
    assert [line.text for line in rare.lines] == ["line 3", "line 4999"]
    assert not rare.older


def test_a_search_that_runs_out_of_time_goes_on_where_it_stopped_and_misses_nothing() -> None:
    log = Log([f"line {n}{' hit' if n in (5, 2_000, 9_990) else ''}" for n in range(10_000)])
    seen: list[str] = []
    place: Place | None = None
    for _ in range(50):
        found = read(log, "hit", place=place, seconds=0.0)
        lines = log_lines.before(found.lines, place)
        seen = [line.text for line in lines] + seen
        if not found.older:
            break
        place = log_lines.place_of(lines, len(lines), place, found.reached)
        assert place is not None
    assert seen == ["line 5 hit", "line 2000 hit", "line 9990 hit"]


@pytest.mark.parametrize("around", [-3, -1, 0, 1, 5])
def test_a_secret_of_several_lines_is_masked_wherever_a_batch_ends(around: int) -> None:
    body = [base64.b64encode(random.Random(n).randbytes(48)).decode() for n in range(40)]
    key = ["-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----"]
    value = "first-part-8d1\nsecond-part-77a\nthird-part-e02"
    for secret in (key, value.split("\n")):
        ahead = log_tail.BATCH_LINES - len(secret) // 2 + around
        log = Log(["start"] * 50 + secret + [f"after {n}" for n in range(ahead)])
        found = read(log, ".", tail=1_000_000, redactor=Redactor([value]))
        text = "\n".join(line.text for line in found.lines)
        assert not [part for part in secret[1:-1] if part in text]
        assert "start" in text
        assert f"after {ahead - 1}" in text


def test_a_flood_of_long_lines_costs_little_memory_and_a_second() -> None:
    class Flood(Log):
        def logs(
            self, container_id: str, *, tail: int, since: float | None = None, until: float | None = None
        ) -> Iterator[tuple[str, str, str]]:
            return ((self.at(n), "stdout", f"{n} " + "word " * 3_000) for n in range(tail))

    tracemalloc.start()
    begun = time.monotonic()
    found = read(Flood([]), "^never$", seconds=0.5)
    taken, (_, peak) = time.monotonic() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.lines, found.older) == ([], True)
    assert peak < 60_000_000
    assert taken < 10


def test_a_ring_holds_what_fits_and_says_what_it_let_go() -> None:
    ring = Ring(3, 10)
    for text in ("aaaa", "bbbb"):
        ring.append(("", "", text))
    assert not ring.dropped
    ring.append(("", "", "cccc"))
    assert [t for _, _, t in ring.lines()] == ["bbbb", "cccc"]
    ring.append(("", "", "d" * 50))
    assert [t for _, _, t in ring.lines()] == ["d" * 50]
    few = Ring(2)
    for n in range(9):
        few.append(("", "", str(n)))
    assert [t for _, _, t in few.lines()] == ["7", "8"]
    assert few.dropped
