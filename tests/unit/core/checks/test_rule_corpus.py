"""Each rule on files of its own, bad and good, in many styles: it fires at the marked lines and nowhere else.

``corpus/HLxxx.txt`` belongs to the rule of that name; its form is told in ``corpus_reader``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.core.checks import lint
from homelab_mcp.core.checks.frame import LintContext, Rule, all_rules
from homelab_mcp.core.checks.view import Lab, StackView
from homelab_mcp.model.finding import Severity
from tests.unit.core.checks.corpus_reader import Case, read_cases

FOLDER = Path(__file__).parent / "corpus"
FILES = sorted(FOLDER.glob("HL*.txt"))
BLOCKS = [(path.stem, case) for path in FILES for case in read_cases(path)]
BAD = [(rule, case) for rule, case in BLOCKS if case.title.startswith("bad: ")]
GOOD = [(rule, case) for rule, case in BLOCKS if case.title.startswith("good: ")]


def name(value: object) -> str:
    return value.title if isinstance(value, Case) else str(value)


def test_every_block_is_bad_or_good() -> None:
    assert len(BLOCKS) == len(BAD) + len(GOOD)
    assert {path.stem for path in FILES} <= {rule.id for rule in all_rules()}


@pytest.mark.parametrize("rule", all_rules(), ids=lambda r: r.id)
def test_a_rule_has_three_bad_and_two_good_files(rule: Rule) -> None:
    assert sum(id_ == rule.id for id_, _ in BAD) >= 3
    assert sum(id_ == rule.id for id_, _ in GOOD) >= 2


@pytest.mark.parametrize(("rule", "case"), BAD, ids=name)
def test_a_rule_fires_at_the_marked_lines_and_nowhere_else(rule: str, case: Case) -> None:
    assert case.faults
    found = lint(case.stacks, facts=case.facts)

    fired = sorted((f.file, f.line, str(f.severity)) for f in found if f.rule == rule)
    wanted = sorted((f.file, f.line, str(f.severity)) for f in case.faults)
    assert fired == wanted, [f.as_line() for f in found]


@pytest.mark.parametrize(("rule", "case"), GOOD, ids=name)
def test_a_rule_is_silent_on_a_good_file_and_nothing_in_it_is_an_error(rule: str, case: Case) -> None:
    assert not case.faults
    found = lint(case.stacks, facts=case.facts)

    assert [f.as_line() for f in found if f.rule == rule or f.severity is Severity.ERROR] == []


def test_a_rule_finds_nothing_where_no_service_has_what_it_needs() -> None:
    rules = [rule for rule in all_rules() if rule.needs]
    assert len(rules) > 40
    for _, case in BLOCKS:
        lab = Lab([StackView(stack) for stack in case.stacks], case.facts)
        for rule in rules:
            if rule.needs.isdisjoint(lab.service_keys):
                assert not list(rule.check(LintContext(lab, rule.id, rule.severity))), (rule.id, case.title)
