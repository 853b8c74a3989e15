"""Which part of a container's log tells of its present state."""

from __future__ import annotations

import pytest

from homelab_mcp.core.diagnosis.known_lines import SETTLED, settled_since
from homelab_mcp.model.observed import ContainerState

BEGUN = 1_767_225_600.0
"""2026-01-01T00:00:00Z"""


def state(word: str = "running", *, restarts: int = 0, at: str = "2026-01-01T00:00:00.5Z") -> ContainerState:
    return ContainerState("1", "web", "x", word, restart_count=restarts, started_at=at)


@pytest.mark.parametrize(
    "at",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.195493051Z",
        "2026-01-01T00:00:00.5Z",
        "2026-01-01T02:00:00.195493051+02:00",
        "2025-12-31T19:00:00-05:00",
        "2026-01-01T00:00:00",
    ],
)
def test_of_a_container_that_was_started_again_and_runs_its_present_run_counts(at: str) -> None:
    assert settled_since(state(at=at), BEGUN + SETTLED + 1) == BEGUN


@pytest.mark.parametrize(
    ("one", "now"),
    [
        (state(), BEGUN + SETTLED - 2),
        (state(restarts=2), BEGUN + 9999),
        (state("restarting"), BEGUN + 9999),
        (state("exited"), BEGUN + 9999),
        (state(at=""), BEGUN + 9999),
        (state(at="not yet"), BEGUN + 9999),
        (state(at="2026-13-01T00:00:00Z"), BEGUN + 9999),
    ],
    ids=["young", "crashed before", "crashes", "ended", "unknown", "no time", "no month"],
)
def test_else_all_of_its_log_does(one: ContainerState, now: float) -> None:
    assert settled_since(one, now) is None
