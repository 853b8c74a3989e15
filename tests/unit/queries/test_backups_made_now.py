"""A backup that is made now is told by its own record, never by that of a run before."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.queries.backups import made_now

pytestmark = pytest.mark.unit


def record(result: str, started: int, *problems: str, run: str = "") -> str:
    found = {"result": result, "started": started, "ended": started + 5, "snapshot": "abc", "problems": list(problems)}
    return json.dumps(found | ({"run": run} if run else {}))


class Container:
    """Stands for the backup's container: the last record before and after a run, and how the run ends."""

    def __init__(self, before: str, after: str, code: int) -> None:
        self.before, self.after, self.code = before, after, code
        self.ran = False

    def run(
        self, words: Sequence[str], *, seconds: float, on_line: Callable[[str], None] | None = None
    ) -> tuple[int, list[str]]:
        self.ran = True
        return self.code, ["STEP copying into the repository"]

    def read(self, words: Sequence[str], *, seconds: float) -> str:
        return f"{self.after if self.ran else self.before}\nnull\n"

    def knock(self) -> None:
        raise AssertionError

    def load(self, service: str, file: str) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (record("ok", 100), record("ok", 100), 137),
        (record("failed", 100, "no room"), record("failed", 100, "no room"), 137),
        (record("incomplete", 100), record("incomplete", 100), 0),
        ("null", "null", 137),
    ],
)
def test_a_run_that_left_no_record_is_not_told_by_the_one_before(before: str, after: str, code: int) -> None:
    with pytest.raises(EngineFailed) as caught:
        made_now(Container(before, after, code))
    assert caught.value.code == "backup_failed"
    assert caught.value.details["output"] == "STEP copying into the repository"


@pytest.mark.parametrize(
    ("before", "after", "code", "told"),
    [
        ("null", record("ok", 100), 0, "ok"),
        (record("ok", 100), record("ok", 200), 0, "ok"),
        (record("failed", 100, "no room"), record("failed", 200, "no room"), 1, "failed"),
        # Both failed within the same second.
        (record("failed", 100, run="a"), record("failed", 100, run="b"), 1, "failed"),
    ],
)
def test_a_run_is_told_by_its_own_record(before: str, after: str, code: int, told: str) -> None:
    found: dict[str, Any] = made_now(Container(before, after, code))
    assert found["result"] == told
