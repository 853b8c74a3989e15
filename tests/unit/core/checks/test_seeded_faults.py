"""Faults put into realistic files are found at their line and as severe as they are; clean files have no error.

The files in ``seeded/`` hold several cases each: ``=== title``, then one compose file a stack, ``+++`` between stacks.
``#<E``, ``#<W`` or ``#<I`` at a line's end marks a fault there (``-1``: on the line above) and how severe it must be;
a rule's id behind it asks for that rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.model.finding import Severity

FOLDER = Path(__file__).parent / "seeded"
MARK = re.compile(r" ?#<([EWI])(-1)?(?: (HL[0-9]{3}))?$")
SEVERITIES = {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFO}
WORST_FIRST = list(Severity)
# What nearly every short file has: none of these counts for a fault that does not ask for it.
EVERYWHERE = {"HL110", "HL111", "HL112", "HL113", "HL114", "HL115"}


@dataclass(frozen=True)
class Fault:
    file: str
    line: int
    severity: Severity
    rule: str


@dataclass(frozen=True)
class Case:
    title: str
    stacks: tuple[LintStack, ...]
    faults: tuple[Fault, ...]


def cases(*names: str) -> list[Case]:
    found = []
    for name in names:
        for block in (FOLDER / f"{name}.txt").read_text().split("=== ")[1:]:
            title, _, body = block.partition("\n")
            found.append(case(title, body))
    return found


def case(title: str, body: str) -> Case:
    stacks, faults = [], []
    for n, text in enumerate(body.split("+++\n")):
        file = f"s{n}/compose.yaml"
        lines = text.split("\n")
        for i, line in enumerate(lines):
            mark = MARK.search(line)
            if mark:
                faults.append(Fault(file, i if mark[2] else i + 1, SEVERITIES[mark[1]], mark[3] or ""))
                lines[i] = MARK.sub("", line)
        stacks.append(LintStack(f"s{n}", file, "\n".join(lines), {}))
    return Case(title, tuple(stacks), tuple(faults))


FAULTS = cases("yaml_and_schema", "meaning", "lab", "care")
CLEAN = cases("clean")


def test_there_are_enough_of_them() -> None:
    assert sum(len(c.faults) for c in FAULTS) >= 200
    assert len(CLEAN) >= 16
    assert all(c.faults for c in FAULTS)


@pytest.mark.parametrize("seeded", FAULTS, ids=lambda c: c.title)
def test_a_seeded_fault_is_found_at_its_line(seeded: Case) -> None:
    asked: set[str] | None = set() if "engine" in seeded.title else None
    found = lint(seeded.stacks, facts=LabFacts(networks=asked))
    for fault in seeded.faults:
        fits = [
            f
            for f in found
            if (f.file, f.line) == (fault.file, fault.line)
            and WORST_FIRST.index(f.severity) <= WORST_FIRST.index(fault.severity)
            and (f.rule == fault.rule if fault.rule else f.rule not in EVERYWHERE)
        ]
        assert fits, [f.as_line() for f in found]


@pytest.mark.parametrize("clean", CLEAN, ids=lambda c: c.title)
def test_a_clean_lab_has_no_error(clean: Case) -> None:
    assert [f.as_line() for f in lint(clean.stacks) if f.severity is Severity.ERROR] == []
