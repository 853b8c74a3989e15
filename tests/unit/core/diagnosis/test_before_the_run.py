"""A fault of before the present run, of a service that something outside of Docker starts again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from homelab_mcp.core.diagnosis import diagnose
from homelab_mcp.core.diagnosis.known_lines import LATELY, may_last
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.queries.diagnose_facts import _logs
from tests.unit.core.diagnosis.test_diagnosis import container, facts

BEGUN = 1_767_225_600.0
"""2026-01-01T00:00:00Z"""
FAULT = 'FATAL: password authentication failed for user "a"'
STATE = ContainerState("c1", "app", "app:1", "running", started_at="2026-01-01T00:00:00Z", stack="apps", service="app")


def test_it_is_told_where_the_present_run_tells_nothing() -> None:
    (told,) = diagnose(facts(container(), logs=("ready",), logs_before=(FAULT, "ready")))
    assert told.id == "db_password"
    assert told.confidence < 0.3
    assert any("before its last start" in seen for seen in told.evidence)


def test_it_is_below_all_that_is_seen_now() -> None:
    sick = container(health="unhealthy", health_log=("exit code 1: no",))
    found = [c.id for c in diagnose(facts(sick, logs=("ready",), logs_before=(FAULT, "ready")))]
    assert found.index("db_password") > found.index("health_fails")
    full = "write error: No space left on device"
    assert next(c.id for c in diagnose(facts(container(), logs=(full,), logs_before=(FAULT, full)))) == "disk_full"
    wrong = "Can't start Nextcloud because the version of the data (31)"
    now = diagnose(facts(container(), image="docker.io/nextcloud:30", logs=(wrong,), logs_before=(FAULT, wrong)))
    assert [c.id for c in now] == ["downgrade_refused"], "the present run's own line is the one that counts"


@pytest.mark.parametrize(
    ("health", "error", "after", "changed", "lasts"),
    [
        ("", "", 60.0, None, True),
        ("unhealthy", "", 60.0, None, True),
        ("healthy", "", 60.0, None, False),
        ("healthy", "502", 60.0, None, True),
        ("", "", LATELY + 1, None, False),
        ("unhealthy", "", 60.0, BEGUN + 5, False),
        ("unhealthy", "", 60.0, BEGUN - 500, True),
    ],
    ids=["no check", "sick", "well", "said to fail", "long ago", "a plan since", "a plan before"],
)
def test_what_was_mended_or_is_well_is_past(
    health: str, error: str, after: float, changed: float | None, lasts: bool
) -> None:
    one = replace(STATE, health=health)
    assert may_last(one, BEGUN, BEGUN + after, error=error, changed=changed) is lasts


@pytest.mark.parametrize(
    ("state", "recent", "logs", "before"),
    [
        (STATE, None, ("ready",), (FAULT, "ready")),
        (STATE, ("p1", "Mend app", 30.0), ("ready",), ()),
        (replace(STATE, restart_count=2), None, (FAULT, "ready"), ()),
    ],
    ids=["started from outside", "mended by a plan", "crashed"],
)
def test_the_log_is_read_as_far_back_as_it_may_count(
    state: ContainerState, recent: Any, logs: tuple[str, ...], before: tuple[str, ...]
) -> None:
    def read(name: str, *, tail: int, since: float | None = None) -> Iterator[tuple[str, str, str]]:
        yield from (("", "stdout", text) for text in ((FAULT, "ready") if since is None else ("ready",)))

    lab: Any = SimpleNamespace(
        engine=SimpleNamespace(logs=read),
        clock=SimpleNamespace(now=lambda: BEGUN + 60),
        redactor=SimpleNamespace(safe=str),
    )
    assert _logs(lab, [state], (), "", recent) == (logs, before)
