"""What a timer is told: a line for each thing that is not well, and nothing of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core.drift import ContainerDrift, DriftWord, FileChange, FileWord
from homelab_mcp.core.lab_check import Answer, Checked, Trouble, drift, host, routes, services
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.model.host import Check
from homelab_mcp.model.observed import Snapshot, StackFiles

NOW = 1_800_000_000.0
DAY = 86_400
COMPOSE = """services:
  web: {image: a, restart: unless-stopped}
  job: {image: a, restart: "no"}
  tool: {image: a, profiles: [tools]}
"""
LAB = view(Snapshot((StackFiles("apps", "apps/compose.yaml", COMPOSE),), None))


def told(*rows: dict[str, Any], status: str = "") -> list[str]:
    ended = {("apps", str(r["service"])): status for r in rows}
    return [t.as_line() for t in services([{"stack": "apps", **r} for r in rows], LAB, ended)]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"service": "web", "state": "missing"}, "no container"),
        ({"service": "web", "state": "running", "health": "unhealthy"}, "health check fails"),
        ({"service": "web", "state": "restarting"}, "it is restarting"),
        ({"service": "web", "state": "dead"}, "it is dead"),
        ({"service": "", "state": "unreadable"}, "cannot be read"),
    ],
)
def test_a_service_that_is_not_well_is_one_line(row: dict[str, Any], words: str) -> None:
    (line,) = told(row)
    assert line.startswith("services apps")
    assert words in line


@pytest.mark.parametrize(
    "row",
    [
        {"service": "web", "state": "running", "health": "healthy"},
        {"service": "web", "state": "running", "health": "starting"},
        {"service": "web", "state": "exited", "note": "asleep"},
        {"service": "tool", "state": "missing"},
        {"service": "old", "state": "exited", "note": "undeclared"},
    ],
)
def test_what_is_well_or_meant_is_silent(row: dict[str, Any]) -> None:
    assert told(row) == []


def test_a_job_may_end_well_and_a_service_may_not() -> None:
    job, web = {"service": "job", "state": "exited"}, {"service": "web", "state": "exited"}

    assert told(job, status="Exited (0) 2 hours ago") == []
    assert "Exited (1)" in told(job, status="Exited (1) 2 hours ago")[0]
    assert "it has ended" in told(web, status="Exited (0) 2 hours ago")[0]


def test_routes_and_certificates_are_told_apart() -> None:
    found = [
        (t.area, t.what, t.message)
        for t in routes(
            [
                Answer("ok.lab.test", 200, verified=True, expires=NOW + 60 * DAY),
                Answer("login.lab.test", 302, verified=True, expires=NOW + 14 * DAY + 1),
                Answer("gone.lab.test", 0, "refused"),
                Answer("bad.lab.test", 502, verified=True, expires=NOW + 60 * DAY),
                Answer("empty.lab.test", 500, verified=True, expires=NOW + 60 * DAY),
                Answer("soon.lab.test", 200, verified=True, expires=NOW + 3.5 * DAY),
                Answer("today.lab.test", 200, verified=True, expires=NOW + 60),
                Answer("late.lab.test", 200, expires=NOW - 60),
                Answer("self.lab.test", 200, expires=NOW + 300 * DAY),
            ],
            now=NOW,
            days=14,
        )
    ]

    assert found == [
        ("routes", "gone.lab.test", "no answer: refused."),
        ("routes", "bad.lab.test", "Traefik answers 502: the service does not answer it."),
        (
            "routes",
            "empty.lab.test",
            "Traefik answers 500: the service fails, or it or the log-in is not healthy.",
        ),
        ("certificates", "soon.lab.test", "its certificate ends in 3 days."),
        ("certificates", "today.lab.test", "its certificate ends today."),
        ("certificates", "late.lab.test", "its certificate has ended."),
        ("certificates", "self.lab.test", "its certificate is not trusted."),
    ]


def test_the_machine_is_told_where_a_person_must_act() -> None:
    checks = [
        Check("disk", False, "/srv has 0.5 GB of 100 GB left."),
        Check("load", False, "Load is 90."),
        Check("updates", True, "3 packages can be updated.", warning=True),
    ]

    assert [t.as_line() for t in host(checks)] == ["host: /srv has 0.5 GB of 100 GB left."]


def test_drift_is_told_by_file_and_by_container() -> None:
    change = FileChange("apps/compose.yaml", FileWord.CHANGED, "a", "b")
    word = next(iter(DriftWord))

    found = [t.what for t in drift([change], [ContainerDrift("apps", "web", word)])]

    assert found == ["apps/compose.yaml", "apps/web"]


def test_all_is_well_when_nothing_is_told() -> None:
    assert Checked((), {"services": 3}).ok
    bad = Checked((Trouble("host", "", "full."),))
    assert not bad.ok
    assert bad.as_dict()["problems"] == [{"area": "host", "what": "", "message": "full."}]
