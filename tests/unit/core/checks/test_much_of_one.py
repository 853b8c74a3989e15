"""Much of one thing in a lab costs as much more, not the square of it."""

from __future__ import annotations

import time

import pytest

from homelab_mcp.core.checks import LabFacts, LintStack, lint


def _takes(stacks: list[LintStack], facts: LabFacts | None = None) -> float:
    started = time.process_time()
    lint(stacks, facts=facts or LabFacts())
    return time.process_time() - started


@pytest.mark.parametrize(
    "test",
    [
        "curl; true" + " " * 40_000 + "x",
        "curl; true ;" + " " * 40_000 + "x",
        "curl ||" + " " * 40_000 + "; true",
        "curl" + "\\n" * 40_000 + "; true",
        "curl" + "; " * 20_000 + "true",
    ],
    ids=["behind true", "behind the end", "before the end", "lines", "ends"],
)
def test_a_health_check_with_much_room_in_it(test: str) -> None:
    text = f'services:\n  web:\n    image: nginx:1.29\n    healthcheck:\n      test: "{test}"\n'
    assert _takes([LintStack("s", "s/compose.yaml", text, {})]) < 2
