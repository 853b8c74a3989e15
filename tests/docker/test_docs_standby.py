"""Listings of docs/hosts.md about a standby of the core and a watch, typed as they stand there.

Real here: the command, both engines, mutual TLS between them, Traefik, the certificate, every request. Stand-ins: the
log-in and the page. The lab's own machine is a network namespace too, which ``docker`` finds by DOCKER_HOST.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.docker_engine import wait_until
from tests.doc_play import played
from tests.docker.doc_rig import APPROVE, shell_of
from tests.docker.test_standby import SECRET, TwoMachines, two_machines

pytestmark = [pytest.mark.timeout(500), pytest.mark.nightly]

WATCHED = 15
"""Seconds, instead of two minutes."""


@pytest.fixture
def two(docker_engine: str, tmp_path: Path) -> Iterator[TwoMachines]:
    with two_machines(tmp_path, by_ssh=False) as found:
        yield found


def test_a_standby_is_brought_there_started_and_stopped_again(two: TwoMachines) -> None:
    assert wait_until(two.served, "the page by the core's Traefik", within=90)
    shell = shell_of(two.root, {"attic": "second"}, engine=two.first.socket)
    with played("docs/hosts.md", __file__, "host standby") as play:
        sync, activate, deactivate = play.lines
        play.type(shell, sync, replies=APPROVE)
        assert two.there("cat core/.env").strip() == f"LOGIN_SECRET={SECRET}"
        assert two.second.running() == {"page"}, "ready, and not started"
        two.first.lose_power()
        two.leads_to(two.second, two.first)
        assert two.asked("page.lab.test") is None
        play.type(shell, activate, replies=APPROVE)
        assert wait_until(two.served, "the page by the standby", within=90)
        two.first.come_back()
        play.type(shell, deactivate, replies=APPROVE)
        assert two.second.running() == {"page"}


def test_a_watch_sees_what_goes_when_the_plug_is_pulled_as_it_was_said(two: TwoMachines) -> None:
    assert wait_until(two.served, "the page by the core's Traefik", within=90)
    shell = shell_of(two.root, {"--watch 120 attic": f"--watch {WATCHED} second"}, engine=two.first.socket)
    with played("docs/hosts.md", __file__, "drill --watch") as play:
        (line,) = play.lines
        with subprocess.Popen(
            ["bash", "-c", f"exec {shell.words(line.text)}"],
            cwd=shell.cwd,
            env=dict(shell.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as drill:
            assert drill.stdout
            assert "take it away" in drill.stdout.readline()
            two.second.pull_the_cable()
            try:
                told = drill.stdout.read()
                assert drill.wait(60) in line.codes, told
            finally:
                two.second.put_the_cable_back()
        play.ran(line)
    (row,) = (row for row in told.splitlines() if row.startswith("pages/page"))
    assert "gone at the end" in row, told
