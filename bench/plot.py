"""The plot in ``docs/benchmarks.md``, drawn from ``bench/results.json``: every ratio on one axis, its bound beside it.

Run: ``python -m bench.plot``. An SVG of text and rectangles, with colours of its own for a light and a dark screen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from bench.lines import Line

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results.json"
PICTURE = ROOT / "docs" / "images" / "benchmarks.svg"

WIDTH, LABELS, RIGHT, ROW, TOP = 960, 420, 70, 20, 74
COLOURS = {
    "light": {
        "back": "#ffffff",
        "text": "#1f2328",
        "line": "#59636e",
        "grid": "#d1d9e0",
        "under": "#0969da",
        "over": "#bc4c00",
    },
    "dark": {
        "back": "#0d1117",
        "text": "#e6edf3",
        "line": "#9198a1",
        "grid": "#30363d",
        "under": "#58a6ff",
        "over": "#f0883e",
    },
}
"""The test of this module holds text to a contrast of 4.5 and bars to 3 (WCAG 2.2, 1.4.3 and 1.4.11)."""


def drawn(lines: Sequence[Line], facts: dict[str, Any]) -> str:
    """The picture. Bars go from 1 to the ratio: to the left less than the floor, to the right more."""
    ratios = [line.ratio for line in lines] + [line.bound for line in lines if line.bound]
    low, high = math.floor(math.log10(min([*ratios, 0.1]))), math.ceil(math.log10(max([*ratios, 10])))
    height = TOP + ROW * len(lines) + 16

    def at(ratio: float) -> float:
        return LABELS + (WIDTH - LABELS - RIGHT) * (math.log10(ratio) - low) / (high - low)

    over = sum(not line.holds for line in lines)
    told = (
        f"{len(lines)} ratios of ours to a floor measured in the same run, {facts['date']}, commit {facts['commit']}. "
        f"{over} exceed their bound."
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-labelledby="title" font-family="system-ui, sans-serif" font-size="12">',
        f'<title id="title">{escape(told)}</title>',
        f"<style>{_style()}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="text" x="12" y="22" font-size="14">Ours over the floor, {facts["date"]}</text>',
        '<text class="line" x="12" y="40">left of 1: less than the floor; a stroke: the bound; orange: over it</text>',
    ]
    for power in range(low, high + 1):
        x, tick = at(10.0**power), f"{10.0**power:g}"
        kind = "line" if power == 0 else "grid"
        parts.append(f'<path class="{kind} stroke" d="M{x:.1f} {TOP - 6}V{height - 10}"/>')
        parts.append(f'<text class="line" x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{tick}</text>')
    for number, line in enumerate(lines):
        parts += _row(line, TOP + ROW * number, at)
    return "\n".join([*parts, "</svg>", ""])


def _row(line: Line, y: int, at: Any) -> list[str]:
    begin, end = sorted((at(1.0), at(line.ratio)))
    kind = "under" if line.holds else "over"
    made = [
        f'<text class="text" x="{LABELS - 10}" y="{y + 14}" text-anchor="end">{escape(_short(line.what))}</text>',
        f'<rect class="{kind}" x="{begin:.1f}" y="{y + 4}" width="{max(end - begin, 1.5):.1f}" height="12" rx="2"/>',
    ]
    if line.bound:
        x = at(line.bound)
        made.append(f'<path class="text stroke" stroke-width="2" d="M{x:.1f} {y + 1}V{y + 19}"/>')
    past = max(end, at(line.bound or 1.0))
    bold = "" if line.holds else ' font-weight="bold"'
    made.append(f'<text class="text" x="{past + 6:.1f}" y="{y + 14}"{bold}>{line.shown}</text>')
    return made


def _short(what: str) -> str:
    return what if len(what) <= 66 else what[:64].rstrip(" ,") + "…"


def _style() -> str:
    def rules(theme: str) -> str:
        return "".join(
            f".{name}{{fill:{colour}}}.{name}.stroke{{stroke:{colour}}}" for name, colour in COLOURS[theme].items()
        )

    return f"{rules('light')}@media (prefers-color-scheme:dark){{{rules('dark')}}}"


def main() -> None:
    """Draw what the last kept run found."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    lines = [Line(**{name: value for name, value in one.items() if name != "ratio"}) for one in kept["lines"]]
    PICTURE.write_text(drawn(lines, kept["machine"]), encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)}: {len(lines)} lines")


if __name__ == "__main__":
    main()
