"""Files that Compose takes and that run have no error: written by hand in many styles, and by the generator.

``tests/docker/test_corpus_compose.py`` has Compose itself say that it takes them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.model.finding import Severity
from tests.unit.core.checks.corpus_reader import Case, read_cases
from tests.unit.core.checks.generated_labs import generated

FOLDER = Path(__file__).parent / "realistic"
BY_HAND = [case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path)]
GENERATED = generated()


def errors(stacks: tuple[LintStack, ...]) -> list[str]:
    return [f.as_line() for f in lint(stacks) if f.severity is Severity.ERROR]


def test_there_are_enough_of_them_and_no_two_are_the_same() -> None:
    texts = [tuple(s.text for s in case.stacks) for case in (*BY_HAND, *GENERATED)]
    assert len(BY_HAND) >= 80
    assert len(set(texts)) == len(texts) >= 200
    assert len({case.title for case in (*BY_HAND, *GENERATED)}) == len(texts)


@pytest.mark.parametrize("case", BY_HAND, ids=lambda c: c.title)
def test_a_file_written_by_hand_has_no_error(case: Case) -> None:
    assert not case.faults
    assert errors(case.stacks) == []


@pytest.mark.parametrize("case", BY_HAND, ids=lambda c: c.title)
def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing_but_columns(case: Case) -> None:
    def told(stacks: tuple[LintStack, ...]) -> list[tuple[str, str, int, str]]:
        return sorted((f.rule, f.file, f.line, f.service) for f in lint(stacks))

    windows = tuple(replace(s, text="\ufeff" + s.text.replace("\n", "\r\n")) for s in case.stacks)
    assert told(windows) == told(case.stacks)


@pytest.mark.parametrize("case", GENERATED, ids=lambda c: c.title)
def test_what_the_generator_writes_has_no_error(case: Case) -> None:
    assert errors(case.stacks) == []
