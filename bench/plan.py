"""A plan of ``add_service`` in labs of 10 to 1,000 services and 10 to 300 stacks, against only parsing their files.

The plan is made from files alone, stored and linted, as ``homelab-mcp --files-only add`` does. The floor reads the
same compose files and parses each with PyYAML's C loader.

Run: ``python -m bench.plan``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import yaml

from bench.lines import Line, in_turn, show
from bench.validate import lab as linted_lab
from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core.operations import lab_view
from homelab_mcp.model.plan import Requester
from homelab_mcp.queries import lint_memory
from homelab_mcp.workflow.proposals import propose_add_service

ASKED = Requester("cli")
SERVICES = ((1, 10), (10, 10), (100, 10))
"""Stacks and services of each, for growth by services."""

STACKS = ((10, 1), (100, 1), (300, 1))
"""For growth by stacks."""

SECOND = 1_000.0


@contextmanager
def written(stacks: int, services: int) -> Iterator[LocalLab]:
    """A lab of that size on disk."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        (root / "homelab.yaml").write_text("domain: example.org\n", encoding="utf-8")
        for each in linted_lab(stacks, services):
            (root / each.name).mkdir()
            (root / each.file).write_text(each.text, encoding="utf-8")
        yield LocalLab(str(root), files_only=True)


def plan(lab: LocalLab, numbers: Iterator[int], *, first: bool = False) -> None:
    """A plan as none was made before: of a service in a stack of its own, at an address of its own.

    ``first``: as in a process that knows nothing of the lab. Otherwise the lab as it is was judged before, for an
    earlier plan; the lab as it would be never was.
    """
    if first:
        lint_memory.forget()
        lab_view.forget()
    propose_add_service(lab, "it-tools", "bench", {"subdomain": f"tools{next(numbers)}"}, ASKED)


def parse(lab: LocalLab) -> None:
    """Every compose file, parsed."""
    for path in Path(lab.root).glob("*/compose.yaml"):
        yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)


def measure(stacks: int, services: int, rounds: int, *, first: bool = False) -> tuple[float, float]:
    """Milliseconds of a plan, and of the parsing."""
    with written(stacks, services) as lab:
        ours = partial(plan, lab, count(), first=first)
        ours()
        return in_turn(ours, partial(parse, lab), rounds)


def main() -> None:
    """Measure and show."""
    by_services: dict[int, float] = {}
    for stacks, services in SERVICES:
        ours, floor = measure(stacks, services, 3)
        by_services[stacks * services] = ours
        show(Line(f"plan of add_service, {stacks * services:,} services, ten a stack", "parsing", ours, floor))
    by_stacks: dict[int, float] = {}
    for stacks, services in STACKS:
        ours, floor = measure(stacks, services, 3)
        by_stacks[stacks] = ours
        show(Line(f"plan of add_service, {stacks} stacks of one service", "parsing", ours, floor))
    small, large = min(by_services), max(by_services)
    times = "what linear growth would give"
    show(Line(f"plan growth, 100 to {large:,} services", times, by_services[large], 10 * by_services[100], bound=1.0))
    show(Line("plan growth, 100 to 300 stacks", times, by_stacks[300], 3 * by_stacks[100], bound=1.0))
    show(Line(f"plan of add_service, {large:,} services", "a second", by_services[large], SECOND, bound=1.0))
    ours, floor = measure(100, 10, 3, first=True)
    show(Line(f"the first plan of a process, {large:,} services", "parsing", ours, floor))
    print(f"{small} services: {by_services[small]:.0f} ms")


if __name__ == "__main__":
    main()
