"""Services changed, moved with their data and removed on a real engine; kills in the middle of a move."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.workflow.assembly import applier, approvals, recovery
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_changes import (
    propose_connect_services,
    propose_move_service,
    propose_remove_service,
    propose_update_service,
)
from testbed import LocalImage, Scratch
from testbed.docker_engine import docker

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).parents[2]
PIN = "27182818"
CLI = Requester("cli")
CANARY = "canary-5b21e7c09f"


class ChangeRig:
    """Stacks ``apps`` (``wiki`` with rows in a database file, and ``other``) and an empty place for ``docs``."""

    def __init__(self, root: Path, scratch: Scratch, stand_in: Callable[..., LocalImage]) -> None:
        run = scratch.run_id
        self.root = root
        self.apps, self.docs = scratch.claim_project(f"apps-{run}"), scratch.claim_project(f"docs-{run}")
        self.repository = f"homelab-testbed/wiki-{run}"
        for tag, variant in (("1", "serve"), ("2", "serve"), ("3", "crash_loop")):
            stand_in(f"{self.repository}:{tag}", service="wiki", ports=[80], variant=variant)
        self.compose_file = root / self.apps / "compose.yaml"
        self.compose_file.parent.mkdir(parents=True)
        (root / "homelab.yaml").write_text("domain: lab.test\n")
        tail = "    restart: unless-stopped\n    stop_grace_period: 1s\n    init: true\n"
        check = "    healthcheck: {test: ['CMD', 'true'], interval: 300ms, retries: 3}\n"
        self.compose_file.write_text(
            f"services:\n  wiki: # the family's\n    image: {self.repository}:1\n"
            "    environment: ['KEY=${WIKI_KEY}']\n    volumes: ['./wiki/data:/data', 'pages:/pages']\n"
            f"{tail}{check}  other:\n    image: {self.repository}:1\n{tail}{check}volumes:\n  pages:\n"
        )
        env = root / self.apps / ".env"
        env.write_text(f"WIKI_KEY='{CANARY}'\n")
        env.chmod(0o600)
        self.data = root / self.apps / "wiki" / "data"
        self.data.mkdir(parents=True)
        with sqlite3.connect(self.data / "wiki.db") as db:
            db.execute("CREATE TABLE pages (name TEXT, body BLOB)")
            db.executemany("INSERT INTO pages VALUES (?, ?)", [(f"page {n}", os.urandom(500)) for n in range(500)])
        db.close()
        self.bytes = (self.data / "wiki.db").read_bytes()
        self.lab = LocalLab(str(root))
        self.lab.history.ensure()
        self.lab.approver.create(PIN)
        self.lab.compose.up(self.apps, ())
        docker("exec", f"{self.apps}-wiki-1", "sh", "-c", "echo kept > /pages/one")

    def approve(self, plan: Plan) -> Plan:
        approvals(self.lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return plan

    def apply(self, plan: Plan) -> PlanStatus:
        return applier(self.lab).run(self.approve(plan).id)

    def killed(self, plan: Plan, point: str) -> None:
        """Apply in a process of its own that kills itself there."""
        self.approve(plan)
        argv = [sys.executable, "-m", "tests.failpoints", "--root", str(self.root), "apply", plan.id]
        environment = {**os.environ, "HOMELAB_AT": point, "HOMELAB_THEN": "die"}
        done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, timeout=120, check=False)
        assert done.returncode == -signal.SIGKILL, (point, done.stderr[-500:])

    def files(self) -> dict[str, bytes]:
        """Content of every file of the lab but git's and our own."""
        return {
            str(p.relative_to(self.root)): p.read_bytes()
            for p in sorted(self.root.rglob("*"))
            if p.is_file() and not {".git", ".homelab", ".gitignore"} & set(p.relative_to(self.root).parts)
        }

    def in_container(self, stack: str, path: str) -> bytes:
        """What the running ``wiki`` of that stack reads."""
        command = ["docker", "exec", f"{stack}-wiki-1", "cat", path]
        return subprocess.run(command, capture_output=True, check=True, timeout=20).stdout

    def running(self) -> set[str]:
        found = [*self.lab.engine.containers(self.apps), *self.lab.engine.containers(self.docs)]
        return {c.name for c in found if c.state == "running"}


@pytest.fixture
def rig(tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]) -> Iterator[ChangeRig]:
    with Scratch() as scratch:
        made = ChangeRig(tmp_path / "lab", scratch, stand_in)
        yield made
        for stack in (made.docs, made.apps):
            if (made.root / stack / "compose.yaml").exists():
                made.lab.compose.down(stack)


def test_a_tag_that_does_not_run_is_rolled_back_and_one_that_does_stays(rig: ChangeRig) -> None:
    before = rig.files()
    bad = rig.apply(propose_update_service(rig.lab, "wiki", rig.apps, {"tag": "3"}, CLI))
    assert bad.state is PlanState.ROLLED_BACK, bad
    assert rig.files() == before
    assert {c.image for c in rig.lab.engine.containers(rig.apps)} == {f"{rig.repository}:1"}

    changes = {"tag": "2", "limits": {"memory": "96M", "pids": "64"}, "env_set": {"MODE": "new"}}
    plan = propose_update_service(rig.lab, "wiki", rig.apps, changes, CLI)
    assert rig.apply(plan).state is PlanState.DONE
    assert "  wiki: # the family's\n" in rig.compose_file.read_text()
    made = docker(
        "inspect",
        "--format",
        "{{.Config.Image}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}",
        f"{rig.apps}-wiki-1",
    ).split()
    assert made == [f"{rig.repository}:2", str(96 * 2**20), "64"]
    assert rig.apply(propose_rollback(rig.lab, plan.id, CLI)).state is PlanState.DONE
    assert rig.files() == before


def test_limits_come_from_what_a_container_is_seen_to_use(rig: ChangeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homelab_mcp.workflow.propose_changes.LOOK_SECONDS", 2.0)
    plan = propose_update_service(rig.lab, "wiki", rig.apps, {"resources": "measured"}, CLI)

    assert any("Looked at for" in note and "processes" in note for note in plan.draft.notes)
    assert rig.apply(plan).state is PlanState.DONE
    memory = int(docker("inspect", "--format", "{{.HostConfig.Memory}}", f"{rig.apps}-wiki-1"))
    assert 64 * 2**20 <= memory <= 512 * 2**20


def test_a_service_moves_with_its_rows_its_volume_and_its_secret_and_back(rig: ChangeRig) -> None:
    before = rig.files()
    plan = propose_move_service(rig.lab, "wiki", rig.apps, rig.docs, CLI)
    status = rig.apply(plan)

    assert status.state is PlanState.DONE, status
    assert rig.running() == {f"{rig.docs}-wiki-1", f"{rig.apps}-other-1"}
    assert not rig.data.exists()
    assert rig.in_container(rig.docs, "/data/wiki.db") == rig.bytes
    assert rig.in_container(rig.docs, "/pages/one") == b"kept\n"
    db = sqlite3.connect(rig.root / rig.docs / "wiki/data/wiki.db")
    assert db.execute("SELECT count(*), sum(length(body)) FROM pages").fetchone() == (500, 250_000)
    db.close()
    key = docker("inspect", "--format", "{{json .Config.Env}}", f"{rig.docs}-wiki-1")
    assert CANARY in key
    assert CANARY not in (rig.root / rig.apps / ".env").read_text()
    journal = (rig.root / ".homelab" / "journal.jsonl").read_text()
    assert CANARY not in journal and CANARY not in str(plan.draft.notes)

    assert rig.apply(propose_rollback(rig.lab, plan.id, CLI)).state is PlanState.DONE
    assert rig.files() == before
    assert rig.in_container(rig.apps, "/data/wiki.db") == rig.bytes
    assert rig.in_container(rig.apps, "/pages/one") == b"kept\n"


def test_a_move_killed_around_its_rename_leaves_rows_in_one_place_and_the_service_runs(rig: ChangeRig) -> None:
    before = rig.files()
    for point in ("before data.move 1", "after data.move 1", "before files.write_atomic 2", "after compose.up 1"):
        plan = propose_move_service(rig.lab, "wiki", rig.apps, rig.docs, CLI)
        rig.killed(plan, point)
        recovery(rig.lab).recover()

        assert rig.lab.plans.status(plan.id).state is PlanState.ROLLED_BACK, point
        assert rig.files() == before, point
        assert rig.running() == {f"{rig.apps}-wiki-1", f"{rig.apps}-other-1"}, point
        assert rig.in_container(rig.apps, "/data/wiki.db") == rig.bytes, point
        assert not (rig.root / rig.docs).exists(), point
        assert recovery(rig.lab).recover() == [], point
    assert rig.apply(propose_move_service(rig.lab, "wiki", rig.apps, rig.docs, CLI)).state is PlanState.DONE


def test_data_that_was_deleted_comes_back_from_the_trash(rig: ChangeRig) -> None:
    before = rig.files()
    plan = propose_remove_service(rig.lab, "wiki", rig.apps, CLI, data="delete", env="delete")
    assert plan.risk.word == "high"
    assert rig.apply(plan).state is PlanState.DONE
    assert not (rig.root / rig.apps / "wiki").exists()
    assert rig.lab.files.read(f"{rig.apps}/.env") == ""
    kept = list((rig.root / ".homelab" / "trash").rglob("wiki.db"))
    assert [k.read_bytes() for k in kept] == [rig.bytes]
    assert (
        "trash"
        not in subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", str(rig.root), "status", "--porcelain", "--untracked-files=all"],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout
    )

    back = propose_rollback(rig.lab, plan.id, CLI)
    rig.killed(back, "after data.move 1")
    recovery(rig.lab).recover()
    assert kept[0].read_bytes() == rig.bytes, "a killed roll-back leaves it where it was"
    assert rig.apply(propose_rollback(rig.lab, plan.id, CLI)).state is PlanState.DONE
    assert rig.files() == before
    assert rig.in_container(rig.apps, "/data/wiki.db") == rig.bytes


def test_connected_services_reach_each_other_by_name(rig: ChangeRig) -> None:
    assert rig.apply(propose_move_service(rig.lab, "wiki", rig.apps, rig.docs, CLI)).state is PlanState.DONE
    network = f"link-{rig.apps}"
    plan = propose_connect_services(
        rig.lab, f"{rig.apps}/other", f"{rig.docs}/wiki", CLI, port=80, network=network, variables={"WIKI": "{url}"}
    )
    try:
        assert "other reaches wiki at wiki:80" in plan.draft.notes[0]
        assert rig.apply(plan).state is PlanState.DONE
        until = time.monotonic() + 10
        while True:
            command = ["docker", "exec", f"{rig.apps}-other-1", "wget", "-qO-", "http://wiki:80/"]
            said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
            if said.returncode == 0 or time.monotonic() > until:
                break
            time.sleep(0.3)
        assert said.stdout.startswith("stand-in for wiki"), said
        assert rig.apply(propose_rollback(rig.lab, plan.id, CLI)).state is PlanState.DONE
    finally:
        for stack in (rig.docs, rig.apps):
            rig.lab.compose.down(stack)
        rig.lab.engine.remove_network(network)
