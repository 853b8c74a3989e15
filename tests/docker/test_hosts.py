"""Three real Docker hosts: this machine, one over SSH, one over mutual TLS; a stack on each, and one cut off."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.errors import EngineUnavailable
from homelab_mcp.model.plan import Plan, PlanState
from homelab_mcp.queries.diagnose import diagnosis
from homelab_mcp.queries.hosts import looked
from homelab_mcp.queries.lab_status import status_of
from homelab_mcp.queries.read_logs import logs_of
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.change_hosts import added, make_tls, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service
from testbed import LocalImage, Scratch
from testbed.definitions import definition, provide
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN, REQUESTER, WATCHED

pytestmark = pytest.mark.timeout(240)


class ThreeHosts:
    """A lab with the hosts ``shed`` (SSH) and ``attic`` (TLS), and a stack planned for each and for this machine."""

    def __init__(self, root: Path, scratch: Scratch, shed: OtherMachine, attic: OtherMachine) -> None:
        self.root, self.scratch, self.shed, self.attic = root, scratch, shed, attic
        self.run = scratch.run_id
        self.lab_network = self.open().settings.route_network

    def open(self) -> LocalLab:
        return open_lab(str(self.root))

    def named(self, host: str) -> str:
        return f"who-{host}-{self.run}"

    def plan(self, host: str) -> Plan:
        """What a person gets to see who asks for a page on that host; ``""`` is this machine."""
        stack = self.scratch.claim_project(self.named(host or "here"))
        options = {"name": stack, "subdomain": stack}
        return propose_add_service(self.open(), "whoami", stack, options, REQUESTER, host=host)

    def apply(self, plan: Plan) -> None:
        lab = self.open()
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        status = applier(lab, WATCHED).run(plan.id)
        assert status.state is PlanState.DONE, status

    def states(self, lab: LocalLab) -> tuple[dict[str, tuple[str, str]], dict[str, str], float]:
        """Per stack of ours its host and state; the silent hosts; seconds that the answer took."""
        begun = time.monotonic()
        found = status_of(lab, limit=200)
        took = time.monotonic() - begun
        mine = {self.named(host) for host in ("here", "shed", "attic")}
        rows = {r["stack"]: (r.get("host", ""), r["state"]) for r in found["services"] if r["stack"] in mine}
        return rows, found.get("silent_hosts", {}), took


@pytest.fixture(scope="module")
def hosts(
    tmp_path_factory: pytest.TempPathFactory, stand_in: Callable[..., LocalImage], testbed_run: Scratch
) -> Iterator[ThreeHosts]:
    del stand_in
    root = tmp_path_factory.mktemp("hosts") / "stacks"
    images = provide([definition("whoami")])
    values = {"domain": "lab.test", "route_network": testbed_run.network("routes")}
    values["internal_network"] = testbed_run.network("internal")
    init_lab(open_lab(str(root), files_only=True), values, PIN)
    make_tls(open_lab(str(root)), "attic", ("10.214.72.2",), 90, again=False)
    tls = root / ".homelab" / "tls" / "attic" / "server"
    before = os.environ["PATH"]
    with OtherMachine(71) as shed, OtherMachine(72, tls=tls) as attic:
        os.environ["PATH"] = f"{shed.sshd()}:{before}"
        try:
            for machine in (shed, attic):
                for image in images:
                    machine.load(image.reference)
            yield ThreeHosts(root, testbed_run, shed, attic)
        finally:
            os.environ["PATH"] = before


def test_a_stack_on_each_of_three_hosts_and_one_cut_off(hosts: ThreeHosts) -> None:
    lab = hosts.open()
    for name, address in (("shed", f"ssh://root@{hosts.shed.address}"), ("attic", f"tcp://{hosts.attic.address}:2376")):
        change = added(lab, name, address, "", "", 5.0, unreached=False)
        assert f"+    address: {address}" in change.diff.replace('"', "")
        write_hosts(lab, change)
    assert {one["host"]: one["answers"] for one in looked(hosts.open())["hosts"]} == {
        "local": True,
        "shed": True,
        "attic": True,
    }

    for host in ("", "shed", "attic"):
        hosts.apply(hosts.plan(host))
    assert hosts.named("shed") in hosts.shed.running()
    assert hosts.named("attic") in hosts.attic.running()
    assert hosts.named("shed") not in hosts.attic.running()
    assert hosts.lab_network in hosts.shed.networks()
    assert (hosts.root / hosts.named("shed") / "compose.yaml").read_text().startswith("x-homelab:\n  host: shed\n")

    lab = hosts.open()
    rows, silent, _ = hosts.states(lab)
    usual = min(hosts.states(lab)[2] for _ in range(3))
    expected = {
        hosts.named("here"): ("", "running"),
        hosts.named("shed"): ("shed", "running"),
        hosts.named("attic"): ("attic", "running"),
    }
    assert (rows, silent) == (expected, {})

    for host in ("shed", "attic"):
        stack = hosts.named(host)
        assert logs_of(lab, (stack,), stack)["lines"], host
        assert diagnosis(lab, stack, what="permissions")["state"].startswith("running"), host

    hosts.attic.pull_the_cable()
    rows, silent, took = hosts.states(lab)
    # Fresh labs remember no silence: each asks anew, and the best of them is what the machine's load leaves untouched.
    took = min([took, *(hosts.states(hosts.open())[2] for _ in range(3))])
    assert took < usual + 1.0, (took, usual)
    assert rows == {**expected, hosts.named("attic"): ("attic", "")}
    assert list(silent) == ["attic"]
    with pytest.raises(EngineUnavailable) as refused:
        propose_add_service(
            hosts.open(), "whoami", hosts.named("attic"), {"name": "second", "subdomain": "second"}, REQUESTER
        )
    assert refused.value.code == "host_silent"
    hosts.attic.put_the_cable_back()
    time.sleep(3.1)
    rows, silent, _ = hosts.states(lab)
    assert (rows, silent) == (expected, {})


def test_who_has_no_certificate_is_turned_away(hosts: ThreeHosts) -> None:
    address = f"tcp://{hosts.attic.address}:2376"
    bare = ["docker", "--tls", "-H", address, "version"]
    done = subprocess.run(bare, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode != 0
    for key in (hosts.root / ".homelab" / "tls").rglob("*key.pem"):
        assert key.stat().st_mode & 0o777 == 0o600
