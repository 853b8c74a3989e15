"""A stack on a real Swarm of two engines: handed over, updated, rolled back, moved off a node, taken back.

Real here: both engines, Swarm between them over a cable, its overlay network, Compose, every plan. Stand-ins: the
services' programs (small web servers). This machine's kernel has no IPVS, so Swarm's virtual addresses and its routing
mesh carry nothing here: what is asked goes to tasks themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus
from homelab_mcp.queries.lab_status import status_of
from homelab_mcp.queries.read_logs import logs_of
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.change_hosts import added, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_changes import propose_update_service
from homelab_mcp.workflow.propose_swarm import propose_engine, propose_node
from testbed import stand_in
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN, REQUESTER, WATCHED

pytestmark = pytest.mark.timeout(300)

GOOD, NEWER, BROKEN = (f"homelab-testbed/page:{tag}" for tag in ("1", "2", "3"))
STACK = """services:
  page:
    image: homelab-testbed/page:1
    container_name: page  # people know it by this name
    restart: unless-stopped
    mem_limit: 64m
    deploy:  # half a minute of waiting less
      update_config: {monitor: 2s}
      rollback_config: {monitor: 2s}
  keeper:
    image: homelab-testbed/page:1
    restart: unless-stopped
    volumes: [kept:/data]
volumes:
  kept: {}
"""


class TwoNodes:
    """A lab on the manager ``first``; ``second`` is a host of its ``hosts.yaml``."""

    def __init__(self, root: Path, first: OtherMachine, second: OtherMachine) -> None:
        self.root, self.first, self.second = root, first, second

    @property
    def lab(self) -> LocalLab:
        return open_lab(str(self.root))

    def apply(self, plan: Plan) -> PlanStatus:
        lab = self.lab
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(lab, WATCHED).run(plan.id)

    def tasks(self, service: str) -> dict[str, str]:
        """Running task -> its node."""
        said = self.first.docker(
            "service",
            "ps",
            f"pages_{service}",
            "--filter",
            "desired-state=running",
            "--format",
            "{{.Name}} {{.Node}} {{.CurrentState}}",
        )
        rows = [line.split() for line in said.splitlines()]
        return {name: node for name, node, state, *_ in rows if state == "Running"}

    def rows(self) -> list[dict[str, Any]]:
        return [r for r in status_of(self.lab, "pages")["services"]]


@pytest.fixture(scope="module")
def two(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    root = tmp_path_factory.mktemp("lab") / "stacks"
    with OtherMachine(75) as first, OtherMachine(76) as second, pytest.MonkeyPatch.context() as patch:
        for image in (GOOD, NEWER):
            stand_in(image, service="page", ports=[3000])
        stand_in(BROKEN, service="page", ports=[3000], variant="crash_loop")
        for machine in (first, second):
            for image in (GOOD, NEWER, BROKEN):
                machine.load(image)
        address, _ = first.connect(second)
        first.docker("swarm", "init", "--advertise-addr", address)
        patch.setenv("DOCKER_HOST", first.socket)
        init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, PIN)
        (root / "pages").mkdir()
        (root / "pages/compose.yaml").write_text(STACK)
        lab = open_lab(str(root))
        write_hosts(lab, added(lab, "second", second.socket, "", "", 5.0, unreached=False))
        lab.compose.up("pages", ())
        yield TwoNodes(root, first, second)


def test_a_stack_is_handed_over_updated_rolled_back_and_moved_off_a_node(two: TwoNodes) -> None:
    joined = two.apply(propose_node(two.lab, "join", "second", REQUESTER))
    assert joined.state is PlanState.DONE, joined
    assert {n.name: n.state for n in two.lab.swarm.nodes()} == {two.first.name: "ready", two.second.name: "ready"}

    plan = propose_engine(two.lab, "pages", REQUESTER, replicas={"page": 2})
    assert any("keeper has data on this machine (kept)" in note for note in plan.draft.notes)
    done = two.apply(plan)
    assert done.state is PlanState.DONE, done
    assert any("page: 2 of 2 tasks run" in e.what for e in done.evidence), done.evidence
    assert set(two.tasks("page").values()) == {two.first.name, two.second.name}
    assert set(two.tasks("keeper").values()) == {two.first.name}
    text = (two.root / "pages/compose.yaml").read_text()
    assert "engine: swarm" in text
    assert "container_name" not in text

    rows = {(r["service"], r.get("host", "")): r["state"] for r in two.rows()}
    assert rows == {("page", ""): "running", ("page", two.second.name): "running", ("keeper", ""): "running"}
    (said,) = logs_of(two.lab, ["pages/page"])["lines"]
    assert said.endswith("stand-in for page: serve, ports 3000 (x2)"), said  # one of each node

    newer = two.apply(propose_update_service(two.lab, "page", "pages", {"tag": "2"}, REQUESTER))
    assert newer.state is PlanState.DONE, newer
    before = two.tasks("page")

    broken = two.apply(propose_update_service(two.lab, "page", "pages", {"tag": "3"}, REQUESTER))
    assert broken.state is PlanState.ROLLED_BACK, broken
    assert any("Swarm could not update page and rolled it back" in e.what for e in broken.evidence), broken.evidence
    assert "homelab-testbed/page:2" in (two.root / "pages/compose.yaml").read_text()
    assert len(two.tasks("page")) == 2
    assert {r["image"] for r in two.rows() if r["service"] == "page"} == {NEWER}

    drained = two.apply(propose_node(two.lab, "drain", two.second.name, REQUESTER))
    assert drained.state is PlanState.DONE, drained
    assert set(two.tasks("page").values()) == {two.first.name}
    assert len(two.tasks("page")) == 2
    assert before != two.tasks("page")
