"""The table of one run of the benches: printed, and on request kept in ``docs/benchmarks.md`` and as JSON.

Run by ``script/bench``: ``python -m bench.table LINES [--write] [--gate] [--missing "NAME: why"]...``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.lines import Line
from bench.plot import PICTURE, drawn
from bench.scale_page import PAGE as SCALE_PAGE
from bench.scale_page import rewritten

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "bench" / "results.json"
HEAD = """\
# Benchmarks

`script/bench all` measures this project against what it stands on. Each line is a ratio: ours over a floor that was
measured in the same run, in turn, on the same machine. Seconds differ from machine to machine; ratios much less. Where
a line has a bound, `script/bench --gate` fails when the ratio exceeds it. `script/test`, and so every run in CI, goes
through a smaller gate in some seconds: ratios of processor time alone (`python -m bench.quick`), which a busy machine
hardly moves.

![Bars of all ratios on one axis: to the left of 1 less than the floor, to the right more](images/benchmarks.svg)

`script/bench all --write` makes this page, the picture and `bench/results.json`. What a simulated lab of 100 hosts
shows is in [scale.md](scale.md), whose figures it writes too.
"""


def read(path: Path) -> list[Line]:
    """The lines of a run."""
    return [Line(**json.loads(text)) for text in path.read_text(encoding="utf-8").splitlines()]


def machine() -> dict[str, Any]:
    """What kind of machine this is; no name, no path."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit or "unknown",
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "architecture": platform.machine(),
        "processor": _processor(),
        "system": f"{platform.system()} {re.split(r'[^0-9.]', platform.release())[0]}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[2], 1),
    }


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else "unknown processor"


def markdown(lines: list[Line], facts: dict[str, Any], missing: Sequence[str], said: Sequence[str] = ()) -> str:
    """The page."""
    rows = ["| what | ours | floor | ratio | bound |", "| --- | ---: | --- | ---: | --- |"]
    for line in lines:
        bound = f"{line.bound:g}" + ("" if line.holds else " **exceeded**") if line.bound else ""
        name = line.floor_name.replace("|", "\\|")
        floor = f"{name}: {line.floor:,.1f} {line.unit}"
        rows.append(f"| {line.what} | {line.ours:,.1f} {line.unit} | {floor} | {line.shown} | {bound} |")
    notes = [f"- {one}" for one in said] + [f"- {line.what}: {line.note}" for line in lines if line.note]
    left_out = [f"- Not measured in this run: {one}" for one in missing]
    where = (
        f"{facts['date']}, commit {facts['commit']}: {facts['cores']} cores ({facts['processor']}, "
        f"{facts['architecture']}), {facts['memory_gib']} GiB, {facts['system']}, Python {facts['python']}. "
        f"Load of the last 15 minutes: {facts['load_before']} on {facts['cores']} cores."
    )
    parts = [HEAD, "## Last run\n", where + "\n", "\n".join(rows) + "\n"]
    if notes or left_out:
        parts.append("\n".join([*notes, *left_out]) + "\n")
    return "\n".join(parts)


def printed(lines: list[Line]) -> str:
    """The table for a terminal."""
    wide = max((len(line.what) for line in lines), default=4)
    rows = [f"{'what':{wide}}  {'ours':>14}  {'floor':>14}  {'ratio':>8}  bound"]
    for line in lines:
        kept = "" if not line.bound else f"{line.bound:g} {'kept' if line.holds else 'EXCEEDED'}"
        ours, floor = (f"{value:,.1f} {line.unit}" for value in (line.ours, line.floor))
        rows.append(f"{line.what:{wide}}  {ours:>14}  {floor:>14}  {line.shown:>8}  {kept}")
    return "\n".join(rows)


def main() -> int:
    """Print; write where asked. 1 where the gate is asked for and a bound is exceeded."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("lines", type=Path)
    options.add_argument(
        "--write",
        action="store_true",
        help="make docs/benchmarks.md, bench/results.json and the figures of docs/scale.md",
    )
    options.add_argument("--gate", action="store_true", help="fail where a bound is exceeded")
    options.add_argument("--missing", action="append", default=[], help="what was not measured, and why")
    options.add_argument("--note", action="append", default=[], help="what a reader must know of the whole run")
    given = options.parse_args()
    lines, facts = read(given.lines), machine()
    print(printed(lines))
    if given.write:
        PAGE.write_text(markdown(lines, facts, given.missing, given.note), encoding="utf-8")
        kept = [{**json.loads(text), "ratio": line.ratio} for text, line in _pairs(given.lines, lines)]
        result = {"machine": facts, "lines": kept, "missing": given.missing, "notes": given.note}
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        PICTURE.write_text(drawn(lines, facts), encoding="utf-8")
        SCALE_PAGE.write_text(rewritten(SCALE_PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")
    return int(given.gate and not all(line.holds for line in lines))


def _pairs(path: Path, lines: list[Line]) -> list[tuple[str, Line]]:
    return list(zip(path.read_text(encoding="utf-8").splitlines(), lines, strict=True))


if __name__ == "__main__":
    raise SystemExit(main())
