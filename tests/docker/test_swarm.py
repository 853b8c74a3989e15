"""A stack on a real Swarm of two engines: handed over, updated, rolled back, moved off a node, taken back.

Real here: both engines, Swarm between them over a cable, its overlay network, Compose, every plan. Stand-ins: the
services' programs (small web servers). This machine's kernel has no IPVS, so Swarm's virtual addresses and its routing
mesh carry nothing here: what is asked goes to tasks themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus
from homelab_mcp.queries.audit import audit
from homelab_mcp.queries.diagnose import diagnosis
from homelab_mcp.queries.lab_status import status_of
from homelab_mcp.queries.read_logs import logs_of
from homelab_mcp.queries.resource_usage import resource_usage
from homelab_mcp.queries.review import review
from homelab_mcp.queries.service_details import service_details
from homelab_mcp.workflow.applier import Progress
from homelab_mcp.workflow.assembly import applier, approvals, recovery
from homelab_mcp.workflow.change_hosts import added, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_changes import propose_remove_service, propose_update_service
from homelab_mcp.workflow.propose_control import propose_control
from homelab_mcp.workflow.propose_swarm import propose_engine, propose_node
from testbed import stand_in
from testbed.docker_engine import TestbedError, wait_until
from testbed.images import ensure_traefik
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN, REQUESTER, WATCHED
from tests.unit.core.swarm.test_render import FULL

pytestmark = pytest.mark.timeout(300)

GOOD, NEWER, BROKEN = (f"homelab-testbed/page:{tag}" for tag in ("1", "2", "3"))
STACK = """services:
  page:
    image: homelab-testbed/page:1
    container_name: CALLED  # people know it by this name
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
CORE = """services:
  traefik:
    image: TRAEFIK
    command:
      - --providers.file.directory=/dynamic
      - --entrypoints.websecure.address=:443
      - --entrypoints.websecure.http.tls=true
    ports: ["ADDRESS:443:443"]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
    networks: [proxy]
networks:
  proxy: {external: true}
"""
LABELS = """    labels:
      traefik.enable: "true"
      traefik.http.routers.page.rule: Host(`page.lab.test`)
      traefik.http.services.page.loadbalancer.server.port: "3000"
    networks: [proxy]
"""


class TwoNodes:
    """A lab on the manager ``first``; ``second`` is a host of its ``hosts.yaml``."""

    def __init__(self, root: Path, first: OtherMachine, second: OtherMachine) -> None:
        self.root, self.first, self.second = root, first, second
        self.near = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        """The engine that images are made on."""

    @property
    def lab(self) -> LocalLab:
        return open_lab(str(self.root))

    def apply(self, plan: Plan, progress: Progress | None = None) -> PlanStatus:
        lab = self.lab
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(lab, replace(WATCHED, certificate=1)).run(plan.id, progress)

    def done(self, plan: Plan) -> PlanStatus:
        status = self.apply(plan)
        assert status.state is PlanState.DONE, status
        return status

    def compose(self, stack: str, text: str = STACK) -> None:
        """A stack that Compose runs."""
        (self.root / stack).mkdir()
        (self.root / stack / "compose.yaml").write_text(text.replace("CALLED", stack))
        self.lab.compose.up(stack, ())

    def joined(self) -> None:
        """Both are nodes, and take tasks."""
        found = {n.name: n.availability for n in self.lab.swarm.nodes()}
        if self.second.name not in found:
            self.done(propose_node(self.lab, "join", "second", REQUESTER))
        elif found[self.second.name] != "active":
            self.done(propose_node(self.lab, "activate", self.second.name, REQUESTER))

    def handed(self, stack: str, text: str = STACK) -> None:
        """A stack that Swarm runs."""
        self.joined()
        self.compose(stack, text)
        self.done(propose_engine(self.lab, stack, REQUESTER, replicas={"page": 2}))

    def tag(self, stack: str, tag: str) -> Plan:
        return propose_update_service(self.lab, "page", stack, {"tag": tag}, REQUESTER)

    def tasks(self, stack: str, service: str = "page") -> dict[str, str]:
        """Id of each running task -> its node."""
        form = "{{.ID}} {{.Node}} {{.CurrentState}}"
        wanted = ("--filter", "desired-state=running", "--no-trunc", "--format", form)
        rows = [line.split() for line in self.first.docker("service", "ps", f"{stack}_{service}", *wanted).splitlines()]
        return {task: node for task, node, state, *_ in rows if state == "Running"}

    def rows(self, stack: str) -> list[dict[str, Any]]:
        return list(status_of(self.lab, stack)["services"])


@pytest.fixture(scope="module")
def two(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    root = tmp_path_factory.mktemp("lab") / "stacks"
    with OtherMachine(75) as first, OtherMachine(76) as second, pytest.MonkeyPatch.context() as patch:
        for image in (GOOD, NEWER):
            stand_in(image, service="page", ports=[3000])
        stand_in(BROKEN, service="page", ports=[3000], variant="crash_loop")
        for machine in (first, second):
            machine.load(GOOD, NEWER, BROKEN)
        address, _ = first.connect(second)
        first.docker("swarm", "init", "--advertise-addr", address)
        nodes = TwoNodes(root, first, second)
        patch.setenv("DOCKER_HOST", first.socket)
        values = {"domain": "lab.test", "route_network": "proxy", "bind_address": first.address}
        init_lab(open_lab(str(root), files_only=True), values, PIN)
        lab = open_lab(str(root))
        write_hosts(lab, added(lab, "second", second.socket, "", "", 5.0, unreached=False))
        yield nodes


def test_a_stack_is_handed_over_rolled_back_and_moved_off_a_node(two: TwoNodes) -> None:
    two.compose("pages")
    two.done(propose_node(two.lab, "join", "second", REQUESTER))
    assert {n.name: n.state for n in two.lab.swarm.nodes()} == {two.first.name: "ready", two.second.name: "ready"}

    plan = propose_engine(two.lab, "pages", REQUESTER, replicas={"page": 2})
    assert any("keeper has data on this machine (kept)" in note for note in plan.draft.notes)
    done = two.done(plan)
    assert any("page: 2 of 2 tasks run" in e.what for e in done.evidence), done.evidence
    assert set(two.tasks("pages").values()) == {two.first.name, two.second.name}
    assert set(two.tasks("pages", "keeper").values()) == {two.first.name}
    assert two.first.running() & {"pages", "pages-keeper-1"} == set()

    rows = {(r["service"], r.get("host", "")): r["state"] for r in two.rows("pages")}
    assert rows == {("page", ""): "running", ("page", two.second.name): "running", ("keeper", ""): "running"}
    assert not any("drift" in r for r in two.rows("pages"))
    (said,) = logs_of(two.lab, ["pages/page"])["lines"]
    assert said.endswith("stand-in for page: serve, ports 3000 (x2)"), said  # one of each node

    broken = two.apply(two.tag("pages", "3"))
    assert broken.state is PlanState.ROLLED_BACK, broken
    assert any("Swarm could not update page and rolled it back" in e.what for e in broken.evidence), broken.evidence
    assert GOOD in (two.root / "pages/compose.yaml").read_text()
    assert len(two.tasks("pages")) == 2
    assert {r["image"] for r in two.rows("pages") if r["service"] == "page"} == {GOOD}

    two.done(propose_node(two.lab, "drain", two.second.name, REQUESTER))
    # How many Swarm runs beside them for a while, and how long it takes over a start on a busy machine, is its own.
    here = {two.first.name}

    def moved() -> bool:
        nodes = list(two.tasks("pages").values())
        return set(nodes) == here and len(nodes) >= 2

    try:
        wait_until(moved, "two tasks on this node", within=150)
    except TestbedError as error:
        pytest.fail(f"{error}:\n{two.first.docker('service', 'ps', '--no-trunc', 'pages_page')}")
    assert set(two.tasks("pages", "keeper").values()) == {two.first.name}


@pytest.mark.nightly
def test_an_update_that_held_for_swarm_and_not_for_the_plan_goes_back_by_swarms_own_roll_back(two: TwoNodes) -> None:
    two.handed("held")
    two.done(two.tag("held", "2"))

    def stumble(status: PlanStatus) -> None:
        if status.step == "committing":
            raise RuntimeError("stumbled")

    (two.root / "held/.env").write_text("NOTHING=1\n")
    back = two.apply(two.tag("held", "1"), stumble)
    assert back.state is PlanState.ROLLED_BACK, back
    assert len(two.tasks("held")) == 2
    assert {r["image"] for r in two.rows("held") if r["service"] == "page"} == {NEWER}
    state = two.first.docker("service", "inspect", "held_page", "--format", "{{.UpdateStatus.State}}").strip()
    assert state == "rollback_completed"
    # And the next plan is judged by itself.
    two.done(two.tag("held", "1"))


@pytest.mark.nightly
def test_a_stack_that_does_not_get_to_swarm_runs_by_compose_as_before(two: TwoNodes) -> None:
    two.joined()
    two.compose("stays")
    text = (two.root / "stays/compose.yaml").read_text()

    def stumble(status: PlanStatus) -> None:
        if status.step == "verifying":
            assert two.first.docker("service", "ls", "-q", "--filter", "label=com.docker.stack.namespace=stays")
            raise RuntimeError("stumbled")

    back = two.apply(propose_engine(two.lab, "stays", REQUESTER, replicas={"page": 2}), stumble)
    assert back.state is PlanState.ROLLED_BACK, back
    assert (two.root / "stays/compose.yaml").read_text() == text
    assert {"stays", "stays-keeper-1"} <= two.first.running()
    assert not two.first.docker("service", "ls", "-q", "--filter", "label=com.docker.stack.namespace=stays")


@pytest.mark.nightly
def test_what_else_is_asked_of_a_lab_answers_and_services_are_controlled_and_removed(two: TwoNodes) -> None:
    two.handed("asked")
    lab = two.lab
    assert {d["service"] for d in resource_usage(lab, stack="asked")["services"]} <= {"page", "keeper"}
    for subject in ("security", "resources", "monitoring"):
        audit(lab, cast("Any", subject), "asked")
    assert service_details(lab, "page", "asked")
    assert diagnosis(lab, "page", stack="asked")
    assert not review(lab, "asked").containers
    first = two.tasks("asked")
    two.done(propose_control(lab, "restart", ["page"], "asked", REQUESTER))
    assert not set(first) & set(two.tasks("asked"))
    two.done(propose_control(two.lab, "stop", ["page"], "asked", REQUESTER))
    assert two.tasks("asked") == {}
    two.done(propose_control(two.lab, "start", ["page"], "asked", REQUESTER))
    assert len(two.tasks("asked")) == 2
    two.done(propose_remove_service(two.lab, "page", "asked", REQUESTER))
    names = two.first.docker("service", "ls", "--format", "{{.Name}}", "--filter", "name=asked_").split()
    assert names == ["asked_keeper"]


@pytest.mark.nightly
def test_an_apply_that_was_killed_between_the_two_is_taken_back_by_the_recovery(two: TwoNodes) -> None:
    two.joined()
    two.compose("killed")
    plan = propose_engine(two.lab, "killed", REQUESTER, replicas={"page": 2})

    def kill(status: PlanStatus) -> None:
        if status.step == "verifying":
            raise SystemExit

    with pytest.raises(SystemExit):
        two.apply(plan, kill)
    (report,) = recovery(two.lab).recover()
    assert report.outcome is PlanState.ROLLED_BACK, report
    assert {"killed", "killed-keeper-1"} <= two.first.running()
    assert not two.first.docker("service", "ls", "-q", "--filter", "label=com.docker.stack.namespace=killed")


@pytest.mark.nightly
def test_data_is_there_in_swarm_and_after_the_way_back(two: TwoNodes) -> None:
    two.joined()
    two.compose("data")
    write = ("exec", "data-keeper-1", "/bin/busybox", "sh", "-c", "echo mine > /data/mine")
    two.first.docker(*write)
    plan = propose_engine(two.lab, "data", REQUESTER, replicas={"page": 2})
    two.done(plan)
    two.done(propose_rollback(two.lab, plan.id, REQUESTER))
    assert two.first.docker("exec", "data-keeper-1", "/bin/busybox", "cat", "/data/mine") == "mine\n"
    two.done(propose_engine(two.lab, "data", REQUESTER, replicas={"page": 2}))
    (keeper,) = [n for n in two.first.running() if n.startswith("data_keeper")]
    assert two.first.docker("exec", keeper, "/bin/busybox", "cat", "/data/mine") == "mine\n"
    two.done(propose_engine(two.lab, "data", REQUESTER, back=True))
    assert two.first.docker("exec", "data-keeper-1", "/bin/busybox", "cat", "/data/mine") == "mine\n"
    assert not two.first.docker("service", "ls", "-q", "--filter", "label=com.docker.stack.namespace=data")
    assert "swarm" not in (two.root / "data/compose.yaml").read_text()


@pytest.mark.nightly
def test_tasks_of_a_node_that_is_lost_run_elsewhere(two: TwoNodes) -> None:
    two.handed("lost")
    assert set(two.tasks("lost").values()) == {two.first.name, two.second.name}
    two.first.cut(two.second)
    try:
        wait_until(lambda: list(two.tasks("lost").values()) == [two.first.name] * 2, "tasks to move", within=90)
        assert [r["state"] for r in two.rows("lost")] == ["running"] * 3
        assert {n.name: n.state for n in two.lab.swarm.nodes()}[two.second.name] == "down"
    finally:
        two.first.mend(two.second)
    wait_until(lambda: all(n.state == "ready" for n in two.lab.swarm.nodes()), "the node to come back", within=60)


@pytest.mark.nightly
def test_traefik_reaches_tasks_on_every_node_by_https(two: TwoNodes) -> None:
    two.joined()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", two.near)
        image = ensure_traefik("traefik:v3.7.13").reference
    two.first.load(image)
    two.first.docker("network", "create", "proxy")
    (two.root / "core").mkdir()
    (two.root / "core/compose.yaml").write_text(CORE.replace("TRAEFIK", image).replace("ADDRESS", two.first.address))
    (two.root / "core/traefik/dynamic").mkdir(parents=True)
    two.lab.compose.up("core", ())
    page, rest = STACK.split("  keeper:")
    text = f"{page}{LABELS}  keeper:{rest}networks:\n  proxy: {{external: true}}\n"
    two.compose("routed", text)
    done = two.done(propose_engine(two.lab, "routed", REQUESTER, replicas={"page": 2}))
    assert any("https://page.lab.test/ answers 200" in e.what for e in done.evidence), done.evidence
    assert set(two.tasks("routed").values()) == {two.first.name, two.second.name}
    written = (two.root / "core/traefik/dynamic/other-hosts.yaml").read_text()
    assert "http://tasks.routed_page:3000" in written
    # The one on the other node alone, over the overlay network.
    two.done(propose_node(two.lab, "drain", two.first.name, REQUESTER))
    assert set(two.tasks("routed").values()) == {two.second.name}
    assert wait_until(lambda: two.lab.probe.get("page.lab.test").status == 200, "an answer from the other node")
    two.done(propose_node(two.lab, "activate", two.first.name, REQUESTER))


@pytest.mark.nightly
def test_swarm_takes_every_key_that_is_rendered_and_means_the_same(two: TwoNodes) -> None:
    two.first.docker("network", "create", "--driver", "overlay", "--attachable", "shared-swarm")
    folder = two.root / "full"
    folder.mkdir()
    for name, text in {"compose.yaml": FULL, ".env": "NAME=x$$y\n", "more.env": "A=b\n", "key.txt": "s"}.items():
        (folder / name).write_text(text.replace("proxy-swarm", "shared-swarm"))
    (folder / "conf").mkdir()
    two.lab.compose.up("full", ())
    try:
        (spec,) = json.loads(two.first.docker("service", "inspect", "full_web", "--format", "[{{json .Spec}}]"))
        inside = spec["TaskTemplate"]["ContainerSpec"]
        assert set(inside["Env"]) == {"PRICE=5$", "N=1", "FROM=x$y", "A=b"}
        shown = two.lab.swarm.stack_file("full")
        assert "x$" not in shown
        assert '"FROM": "***"' in shown
        assert inside["Args"] == ["sh", "-c", "echo $HOME"]
        assert {m["Target"]: m["Type"] for m in inside["Mounts"]} == {
            "/conf": "bind", "/data": "volume", "/cache": "tmpfs", "/run": "tmpfs", "/dev/shm": "tmpfs"
        }  # fmt: skip
        assert inside["Secrets"][0]["SecretName"].startswith("full_key-")
        assert inside["CapabilityDrop"] == ["ALL"]
        assert spec["TaskTemplate"]["Resources"]["Limits"] == {
            "NanoCPUs": 500_000_000, "MemoryBytes": 128 * 2**20, "Pids": 100
        }  # fmt: skip
        assert spec["TaskTemplate"]["RestartPolicy"]["MaxAttempts"] == 3
        assert {(p["TargetPort"], p["PublishMode"]) for p in spec["EndpointSpec"]["Ports"]} == {
            (80, "ingress"),
            (443, "host"),
        }
    finally:
        two.lab.compose.down("full")
    assert not two.first.docker("secret", "ls", "-q")
