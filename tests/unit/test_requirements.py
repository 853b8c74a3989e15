"""Every promise has a test, every test that is named is there, and the page that shows them is current."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

from tests.requirements import ALL, PENDING, PROMISES, RULES, THREATS

ROOT = Path(__file__).parents[2]


@functools.cache
def functions(path: str) -> frozenset[str]:
    """The test functions that pytest collects from a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = (n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in found if name.startswith("test_"))


def test_every_promise_has_a_test_that_exists() -> None:
    missing = [f"{r.id}: {t}" for r in ALL for t in r.tests if t.split("::")[1] not in functions(t.split("::")[0])]
    assert missing == []
    assert [r.id for r in ALL if not r.tests] == []
    assert [r.id for r in ALL if not (r.about and r.kept_by and r.figure)] == []


def test_the_ids_are_complete_and_used_once() -> None:
    assert [r.id for r in THREATS] == [f"T{n:02}" for n in range(1, 34)]
    assert [r.id for r in PROMISES] == [f"P{n}" for n in range(1, 7)]
    assert [r.id for r in RULES][:10] == [f"G{n:02}" for n in range(1, 11)]
    assert set(PENDING) <= {r.id for r in ALL}
    for row, what in PENDING.items():
        print(f"figure not reached yet: {row}: {what}")


def test_the_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "script" / "requirements-doc", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
