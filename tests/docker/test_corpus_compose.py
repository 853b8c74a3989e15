"""Compose itself takes the good files of the linter's corpus and the realistic ones. Needs the CLI, no daemon."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.validate import compose_binary
from homelab_mcp.core.checks import LintStack
from tests.unit.core.checks.corpus_reader import Case, read_cases, write_lab
from tests.unit.core.checks.generated_labs import generated
from tests.unit.core.checks.test_open_values import REFUSED, TAKEN, file

CHECKS = Path(__file__).parents[1] / "unit" / "core" / "checks"
FILES = sorted([*CHECKS.glob("corpus/HL*.txt"), *CHECKS.glob("realistic/*.txt")])
BINARY = compose_binary()


def verdicts(cases: list[Case], tmp_path: Path) -> list[tuple[str, str]]:
    """Each case's title, and what Compose had against its stacks ("" for nothing)."""
    folders = []
    for n, case in enumerate(cases):
        (tmp_path / str(n)).mkdir()
        folders.append(write_lab(case, tmp_path / str(n)))
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda some: "".join(map(refusal, some)), folders))
    return list(zip((c.title for c in cases), told, strict=True))


def refusal(folder: Path) -> str:
    command = [BINARY] if BINARY else ["docker", "compose"]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PWD": str(folder)}
    done = subprocess.run(
        [*command, "-p", folder.name, "config", "-q"], cwd=folder, env=env, capture_output=True, text=True, timeout=20
    )
    return done.stderr or "refused" if done.returncode else ""


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_compose_agrees_with_the_corpus(path: Path, tmp_path: Path) -> None:
    cases = [c for c in read_cases(path) if not c.title.startswith("bad: ") or c.config]
    told = verdicts(cases, tmp_path)

    wrong = [(title, word) for case, (title, word) in zip(cases, told, strict=True) if expected(case) != bool(word)]
    assert wrong == []


def expected(case: Case) -> bool:
    """True when Compose must refuse it."""
    assert case.config in {"", "refuses", "accepts"}
    return case.config == "refuses"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("part", [0, 1, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(2, 8))])
def test_compose_takes_what_the_generator_writes_in_any_way(tmp_path: Path, part: int) -> None:
    told = verdicts(generated()[part::8], tmp_path)

    assert len(told) >= 15
    assert [(title, word) for title, word in told if word] == []


def test_compose_refuses_the_empty_text_where_the_linter_says_so(tmp_path: Path) -> None:
    settings = {s: True for s in REFUSED.strip().splitlines()} | {s: False for s in TAKEN.strip().splitlines()}
    cases = [Case(s, (LintStack("s0", "s0/compose.yaml", file(s), {}),), ()) for s in settings]

    told = verdicts(cases, tmp_path)

    assert [(s, word) for s, word in told if bool(word) != settings[s]] == []
