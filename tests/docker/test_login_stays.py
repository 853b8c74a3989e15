"""A lab that was set up before Traefik kept the log-in's middleware: found by a rule, and brought along by its fix.

Real: Docker, Traefik, the CA, every request. The log-in is a stand-in that answers as Authelia does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from homelab_mcp.core.checks.rules_login_stays import EMPTY_TOO, KEEP
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.plan import PlanState
from homelab_mcp.queries.validate_lab import check
from homelab_mcp.workflow.proposals import propose_fix
from homelab_mcp.workflow.propose_control import propose_control
from homelab_mcp.workflow.propose_setup import propose_core
from testbed import Scratch
from testbed.acme import challenge_dns
from testbed.definitions import definition, provide
from testbed.docker_engine import wait_until
from tests.docker.lab import REQUESTER, RealLab

pytestmark = [pytest.mark.timeout(600), pytest.mark.nightly]

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


def told_elsewhere(lab: RealLab, stack: str, place: str) -> Path:
    """Move Traefik's options to another place that it takes them from; the file that has them then."""
    compose, name = lab.root / stack / "compose.yaml", lab.named("traefik")
    if place == "command":
        return compose
    with lab.compose(stack, "config", "--format", "json") as asked:
        command = json.loads(asked.communicate()[0])["services"][name]["command"]
    options = dict(flag.removeprefix("--").split("=", 1) for flag in command)
    edit = ServiceEdit(compose.read_text(), name).remove("command")
    if place == "variables":
        for option, value in options.items():
            edit.set_entry("environment", f"TRAEFIK_{option.upper().replace('.', '_')}", value)
        compose.write_text(edit.text)
        return compose
    static: dict[str, Any] = {}
    for option, value in options.items():
        *above, last = option.split(".")
        inside = static
        for word in above:
            inside = inside.setdefault(word, {})
        # What has options of its own is on by being there.
        inside.setdefault(last, {} if option == "ping" or any(o.startswith(f"{option}.") for o in options) else value)
    # A flag counts the entries of a list, a file writes them.
    tls = static["entrypoints"]["websecure"]["http"]["tls"]
    tls["domains"] = [tls.pop("domains[0]")]
    compose.write_text(edit.add_item("volumes", "./traefik.yml:/etc/traefik/traefik.yml:ro").text)
    file = compose.with_name("traefik.yml")
    file.write_text(yaml.safe_dump(static))
    return file


@pytest.mark.parametrize("place", ["command", "file", "variables"])
def test_an_old_lab_gets_both_settings_and_its_routes_stay_while_the_log_in_is_away(lab: RealLab, place: str) -> None:
    stack, login = lab.stack("core"), lab.named("authelia")
    compose = lab.root / stack / "compose.yaml"
    lines = compose.read_text().splitlines(keepends=True)
    compose.write_text("".join(line for line in lines if EMPTY_TOO not in line and KEEP not in line))
    file = told_elsewhere(lab, stack, place)
    with lab.compose(stack, "up", "--detach", "--wait") as up:
        up.communicate()
    assert up.returncode == 0

    plan = propose_fix(lab.open(files_only=False), stack, ("HL252",), REQUESTER)
    assert "HL252" in {f.rule for f in check(lab.open(files_only=False)).findings}
    done = lab.approve_and_apply(plan, files_only=False)
    assert done.state is PlanState.DONE, done
    assert "HL252" not in {f.rule for f in check(lab.open(files_only=False)).findings}
    assert sum(KEEP in line for line in compose.read_text().splitlines()) == 1
    last = EMPTY_TOO.rpartition(".")[2]
    assert sum(last in line.lower() for line in file.read_text().splitlines()) == 1
    host = f"traefik.{lab.domain}"
    wait_until(lambda: lab.https(host).status == 302, "the log-in in front of Traefik's page")
    for action, back in (("pause", "unpause"), ("stop", "start")):
        held = propose_control(lab.open(files_only=False), action, (login,), stack, REQUESTER)
        assert lab.approve_and_apply(held, files_only=False).state is PlanState.DONE
        if action == "stop":
            # Traefik asks for the name of what is stopped first: of a name server that does not answer, for a while.
            assert lab.https(host, within=60).status == 500, "its route is kept, and nobody passes"
        again = propose_control(lab.open(files_only=False), back, (login,), stack, REQUESTER)
        status = lab.approve_and_apply(again, files_only=False)
        assert status.state is PlanState.DONE, status
        wait_until(lambda: lab.https(host).status == 302, "the log-in again")
