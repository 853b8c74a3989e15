"""A drill on a real Swarm of two engines: what was said of a lost node is what is seen, by HTTPS through real Traefik.

Real here: both engines, Swarm between them over a cable, Traefik, every plan and request. Stand-ins: the services'
programs. Without IPVS in the kernel requests go to the tasks themselves, as the lab's routes do anyway.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.cli import plan_flow
from homelab_mcp.cli.drill import drained
from homelab_mcp.core.drill_report import report
from homelab_mcp.model.plan import PlanState
from homelab_mcp.queries.drill import Watch, is_node, predicted
from homelab_mcp.queries.survival import survives
from homelab_mcp.workflow.assembly import applier
from homelab_mcp.workflow.change_hosts import added, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_swarm import propose_engine
from testbed import stand_in
from testbed.docker_engine import wait_until
from testbed.images import ensure_traefik
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN, REQUESTER, WATCHED
from tests.docker.test_swarm import CORE, GOOD, LABELS, STACK, TwoNodes

pytestmark = pytest.mark.timeout(400)

FAR = """  far:
    image: homelab-testbed/page:1
    restart: unless-stopped
    deploy: {placement: {constraints: ["node.hostname == SECOND"]}}
"""


@pytest.fixture
def two(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    root = tmp_path_factory.mktemp("lab") / "stacks"
    with OtherMachine(81) as first, OtherMachine(82) as second, pytest.MonkeyPatch.context() as patch:
        stand_in(GOOD, service="page", ports=[3000])
        image = ensure_traefik("traefik:v3.7.13").reference
        first.load(GOOD, image)
        second.load(GOOD)
        address, _ = first.connect(second)
        first.docker("swarm", "init", "--advertise-addr", address)
        first.docker("network", "create", "proxy")
        nodes = TwoNodes(root, first, second)
        patch.setenv("DOCKER_HOST", first.socket)
        values = {"domain": "lab.test", "route_network": "proxy", "bind_address": first.address}
        init_lab(open_lab(str(root), files_only=True), values, PIN)
        lab = open_lab(str(root))
        write_hosts(lab, added(lab, "second", second.socket, "", "", 5.0, unreached=False))
        (root / "core").mkdir()
        (root / "core/compose.yaml").write_text(CORE.replace("TRAEFIK", image).replace("ADDRESS", first.address))
        (root / "core/traefik/dynamic").mkdir(parents=True)
        nodes.lab.compose.up("core", ())
        yield nodes


def applied(two: TwoNodes, plan: str) -> int:
    """What the command line does in a process of its own, with the tests' patience for a certificate."""
    status = applier(two.lab, replace(WATCHED, certificate=1)).run(plan)
    return 0 if status.state is PlanState.DONE else 1


@pytest.mark.nightly
def test_a_drained_node_and_then_one_that_is_cut_off_are_as_survives_said(
    two: TwoNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = monkeypatch
    two.joined()
    page, rest = STACK.split("  keeper:")
    far = FAR.replace("SECOND", two.second.name)
    two.compose("pages", f"{page}{LABELS}{far}  keeper:{rest}networks:\n  proxy: {{external: true}}\n")
    two.done(propose_engine(two.lab, "pages", REQUESTER, replicas={"page": 2}))
    assert set(two.tasks("pages").values()) == {two.first.name, two.second.name}
    node = two.second.name

    lab = two.lab
    said = predicted(lab, node)
    assert set(said.down) == {"pages/far"}
    assert {"pages/page", "pages/keeper"} <= set(said.survive)
    here = next(f for f in survives(lab)["failures"] if f["failure"] == "The machine of the lab is lost")
    assert here["down"]["pages/page"].startswith("it runs on, but its address")
    assert "bound to" in here["down"]["pages/keeper"]
    assert is_node(lab, node) is not None
    assert is_node(lab, "nobody") is None

    patch.setattr(plan_flow, "at_terminal", lambda: True)
    patch.setattr(plan_flow, "read_pin", lambda _: PIN)
    patch.setattr(plan_flow, "apply_and_follow", lambda lab, plan, as_json: applied(two, plan))
    ended, seen = drained(lab, node, 5)
    assert ended
    found = report(seen, said, orderly=True)
    rows = {row["service"]: row for row in found["services"]}
    assert found["surprises"] == [], found
    assert rows["pages/page"]["by"] == "https://page.lab.test/"
    assert rows["pages/page"]["said"] == "goes on"
    assert rows["pages/far"]["seen"] == "gone at the end"
    assert rows["pages/keeper"]["seen"] == "there all along"
    assert rows["pages/page"]["looks"] > 5
    assert set(two.tasks("pages").values()) == {two.first.name}, "Swarm moves nothing back by itself"

    # One task on each again, for a loss that nobody announces.
    assert {n.availability for n in two.lab.swarm.nodes()} == {"active"}
    two.first.docker("service", "update", "--quiet", "--force", "--detach", "pages_page")
    wait_until(lambda: set(two.tasks("pages").values()) == {two.first.name, node}, "both nodes", within=90)
    wait_until(lambda: two.lab.probe.get("page.lab.test").status == 200, "an answer", within=60)
    wait_until(lambda: len(two.tasks("pages", "far")) == 1, "what is bound to it", within=60)
    said = predicted(two.lab, node)
    watch = Watch(two.lab)
    cut = threading.Timer(2.0, two.first.cut, [two.second])
    cut.start()
    end = time.monotonic() + 75
    try:
        seen = watch.run(lambda: time.monotonic() > end)
    finally:
        cut.join()
        two.first.mend(two.second)
    found = report(seen, said, orderly=False)
    rows = {row["service"]: row for row in found["services"]}
    assert found["surprises"] == [], found
    assert rows["pages/page"]["seen"] != "gone at the end"
    assert rows["pages/far"]["seen"] == "gone at the end"
    assert rows["pages/keeper"]["longest_gap"] == 0
