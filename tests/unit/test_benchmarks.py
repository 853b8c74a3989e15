"""The benches' table, and the simulated engine that a lab of many hosts is asked of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import table
from bench.lines import Line, show
from bench.scale import simulated, status
from bench.simulated_engine import SERVICES, shares

KEPT = Line("a", "floor", 2.0, 4.0, bound=1.0)
EXCEEDED = Line("b", "one | two", 9.0, 4.0, "MB", bound=2.0, note="of a small lab")


def test_a_bound_is_kept_up_to_its_ratio_and_no_bound_always() -> None:
    assert KEPT.holds and KEPT.ratio == 0.5
    assert not EXCEEDED.holds
    assert Line("c", "floor", 9.0, 4.0).holds


def test_lines_that_were_shown_make_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "lines"
    monkeypatch.setenv("BENCH_LINES", str(kept))
    for line in (KEPT, EXCEEDED):
        show(line)
    assert "ratio 0.50 (at most 1)" in capsys.readouterr().out
    assert table.read(kept) == [KEPT, EXCEEDED]
    monkeypatch.setattr(table, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(table, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr("sys.argv", ["table", str(kept), "--write", "--gate", "--missing", "logs: needs Docker"])
    assert table.main() == 1, "a bound was exceeded"
    page = (tmp_path / "page.md").read_text()
    assert "| b | 9.0 MB | one \\| two: 4.0 MB | 2.25 | 2 **exceeded** |" in page
    assert "- b: of a small lab" in page
    assert "- Not measured in this run: logs: needs Docker" in page
    assert str(tmp_path) not in page and str(table.ROOT) not in page
    assert [one["ratio"] for one in json.loads((tmp_path / "results.json").read_text())["lines"]] == [0.5, 2.25]


@pytest.mark.parametrize(("hosts", "containers"), [(1, 20), (3, 500), (100, 10_000), (7, 10)])
def test_every_container_is_on_one_host_and_no_stack_on_two(hosts: int, containers: int) -> None:
    parts = shares(hosts, containers)
    assert [n for part in parts for n in part] == list(range(containers))
    assert len(parts) == hosts
    assert all(part.start % SERVICES == 0 for part in parts if part)


def test_a_lab_on_simulated_hosts_is_seen_whole() -> None:
    with simulated(3, 60) as (_, lab):
        seen = status(lab)
    assert (seen.total, seen.silent, seen.engine_error) == (60, {}, "")
    assert {row.host for row in seen.rows} == {"", "h1", "h2"}
