"""A lab that was set up before Traefik kept the log-in's middleware: found by a rule, and brought along by its fix.

Real: Docker, Traefik, the CA, every request. The log-in is a stand-in that answers as Authelia does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from homelab_mcp.core.checks.rules_login_stays import EMPTY_TOO, KEEP
from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.proposals import propose_fix
from homelab_mcp.workflow.propose_control import propose_control
from homelab_mcp.workflow.propose_setup import propose_core
from testbed import Scratch
from testbed.acme import challenge_dns
from testbed.definitions import definition, provide
from testbed.docker_engine import wait_until
from tests.docker.lab import REQUESTER, RealLab

pytestmark = [pytest.mark.timeout(300), pytest.mark.nightly]

PARTS = ("traefik", "authelia")


@pytest.fixture
def lab(docker_engine: str, tmp_path: Path) -> Iterator[RealLab]:
    with Scratch() as scratch:
        provide(definition(part) for part in PARTS)
        routes = scratch.network("routes")
        with challenge_dns(scratch, routes) as dns:
            real = RealLab(tmp_path, scratch, dns=dns, routes=routes)
            plan = propose_core(
                real.open(files_only=False),
                ("sablier", "dockge", "homepage"),
                REQUESTER,
                given={"HTTPREQ_ENDPOINT": dns.endpoint},
                names={part: real.named(part) for part in PARTS},
                stacks={part: real.stack("core") for part in PARTS},
            )
            assert real.approve_and_apply(plan, files_only=False).state is PlanState.DONE
            yield real


def test_an_old_lab_gets_both_settings_and_its_routes_stay_while_the_log_in_is_away(lab: RealLab) -> None:
    stack, login = lab.stack("core"), lab.named("authelia")
    file = lab.root / stack / "compose.yaml"
    now = file.read_text()
    lines = [line for line in now.splitlines(keepends=True) if EMPTY_TOO not in line and KEEP not in line]
    file.write_text("".join(lines))
    with lab.compose(stack, "up", "--detach", "--wait") as up:
        up.communicate()
    assert up.returncode == 0

    plan = propose_fix(lab.open(files_only=False), stack, ("HL252",), REQUESTER)
    assert [f.rule for f in plan.findings if f.rule == "HL252"] == []
    done = lab.approve_and_apply(plan, files_only=False)
    assert done.state is PlanState.DONE, done
    assert sum(EMPTY_TOO in line or KEEP in line for line in file.read_text().splitlines()) == 2
    host = f"traefik.{lab.domain}"
    wait_until(lambda: lab.https(host).status == 302, "the log-in in front of Traefik's page")
    for action, back in (("pause", "unpause"), ("stop", "start")):
        held = propose_control(lab.open(files_only=False), action, (login,), stack, REQUESTER)
        assert lab.approve_and_apply(held, files_only=False).state is PlanState.DONE
        if action == "stop":
            assert lab.https(host).status == 500, "its route is kept, and nobody passes"
        again = propose_control(lab.open(files_only=False), back, (login,), stack, REQUESTER)
        status = lab.approve_and_apply(again, files_only=False)
        assert status.state is PlanState.DONE, status
        wait_until(lambda: lab.https(host).status == 302, "the log-in again")
