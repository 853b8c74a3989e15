"""The benches' table, and the simulated engine that a lab of many hosts is asked of."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench import plot, quick, soak, table
from bench.lines import Line, show
from bench.scale import simulated, status
from bench.simulated_engine import SERVICES, shares
from homelab_mcp.core.checks import LintStack, lint

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
    monkeypatch.setattr(table, "PICTURE", tmp_path / "picture.svg")
    monkeypatch.setattr(table, "SCALE_PAGE", tmp_path / "scale.md")
    (tmp_path / "scale.md").write_text("# A page whose figures this run did not measure\n")
    monkeypatch.setattr("sys.argv", ["table", str(kept), "--write", "--gate", "--missing", "logs: needs Docker"])
    assert table.main() == 1, "a bound was exceeded"
    page = (tmp_path / "page.md").read_text()
    assert "| b | 9.0 MB | one \\| two: 4.0 MB | 2.25 | 2 **exceeded** |" in page
    assert "- b: of a small lab" in page
    assert "- Not measured in this run: logs: needs Docker" in page
    assert str(tmp_path) not in page and str(table.ROOT) not in page
    assert "1 exceed their bound" in (tmp_path / "picture.svg").read_text()
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


@pytest.mark.timeout(180)
def test_a_part_of_the_soaks_day_has_every_kind_of_call(capsys: pytest.CaptureFixture[str]) -> None:
    soak.main(soak.HOUR + 10)
    told = capsys.readouterr().out
    assert re.search(r"^memory after a day's traffic, 130 half minutes: .* \(at most 1\.1\)$", told, re.MULTILINE)
    assert re.search(r"^open handles after .* \(at most 1\)$", told, re.MULTILINE)
    for kind in ("a client comes 6", "a person's no in the dialog 2", "a person's no with the PIN 2", "add_service 2"):
        assert kind in told
    tools = {tool for tool, _ in map(soak.read, range(20))}
    assert all(f"{tool} " in told for tool in tools)


def test_what_a_server_leaves_open_is_seen() -> None:
    program = "import subprocess, sys\nkept = [open('/dev/null') for _ in range(int(sys.argv[1]))]\n"
    program += "child = subprocess.Popen(['sleep', '60']) if len(sys.argv) > 2 else None\nprint(flush=True)\ninput()\n"
    program += "child and child.kill()\n"

    def seen(*arguments: str) -> int:
        argv = [sys.executable, "-c", program, *arguments]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                return soak.kept(process.pid)[1]
            finally:
                process.communicate(b"\n")

    assert seen("5") - seen("0") == 5
    with pytest.raises(RuntimeError, match="1 programs at work"):
        seen("0", "a child")


def test_the_picture_is_what_the_kept_results_make_and_everything_in_it_is_seen() -> None:
    kept = json.loads(plot.RESULTS.read_text())
    lines = [Line(**{name: value for name, value in one.items() if name != "ratio"}) for one in kept["lines"]]
    picture = plot.drawn(lines, kept["machine"])
    assert picture == plot.PICTURE.read_text(), "python -m bench.plot makes it anew"
    tree = ElementTree.fromstring(picture)
    _, _, wide, high = map(float, tree.attrib["viewBox"].split())
    bars = [e for e in tree.iter("{http://www.w3.org/2000/svg}rect") if e.get("class") in {"under", "over"}]
    assert len(bars) == len(lines)
    assert [e.get("class") for e in bars] == ["under" if line.holds else "over" for line in lines]
    for bar in bars:
        x, y, width, height = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= plot.LABELS and x + width <= wide and y + height <= high
    assert plot.PICTURE.name in (table.ROOT / "docs" / "benchmarks.md").read_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_can_be_read_on_either_ground(theme: str) -> None:
    colours = plot.COLOURS[theme]
    least = {"text": 4.5, "line": 4.5, "under": 3.0, "over": 3.0}
    assert all(_contrast(colours[name], colours["back"]) >= ratio for name, ratio in least.items())


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.timeout(120)
def test_the_quick_gate_is_kept_and_falls_shut_over_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(quick.lines())
    assert [line.what for line in found if not line.holds] == [], found
    assert all(line.bound for line in found)
    monkeypatch.setattr(quick, "lines", lambda: iter([KEPT, EXCEEDED]))
    assert quick.main() == 1
    monkeypatch.setattr(quick, "lines", lambda: iter([KEPT]))
    assert quick.main() == 0


@pytest.mark.timeout(120)
def test_a_step_that_became_quadratic_is_over_the_bound_of_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    def slower(stacks: list[LintStack]) -> object:
        return sum(range(len(stacks) ** 2 * 40_000)) and lint(stacks)

    monkeypatch.setattr(quick, "lint", slower)
    growth = next(line for line in quick.lines() if line.what.startswith("lint growth"))
    assert not growth.holds, growth
