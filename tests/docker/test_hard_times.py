"""What an apply must survive, on a real engine: its worker killed, Docker gone, images and containers that fail."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Plan, PlanState, Requester, Verification
from homelab_mcp.workflow.assembly import applier, approvals, planner
from homelab_mcp.workflow.follow import start
from testbed import LocalImage
from tests.unit.workflow.unjudged import unjudged


class Rig:
    """One stack with ``web`` (running, with a volume) and ``idle`` (stopped by hand), applied by real workers."""

    def __init__(self, root: Path, run: str, images: dict[str, str]) -> None:
        self.root, self.images = root, images
        self.stack = f"hard-{run}"
        folder = root / self.stack
        folder.mkdir(parents=True)
        (root / "homelab.yaml").write_text("domain: lab.test\n")
        self.file = folder / "compose.yaml"
        (folder / ".env").write_text("APP_PASSWORD='canary-5f2c91aa7d'\n")
        self.file.write_text(
            "services:\n"
            f"  web:\n    image: {images['good']}\n    restart: unless-stopped\n    stop_grace_period: 1s\n"
            "    volumes: ['data:/data']\n"
            f"  idle:\n    image: {images['good']}\n    stop_grace_period: 1s\n"
            "volumes:\n  data:\n"
        )
        self.lab = LocalLab(str(root))
        self.lab.history.ensure()
        self.lab.compose.up(self.stack, ())
        self.lab.compose.stop(self.stack, ("idle",))

    def plan(self, image: str = "next") -> Plan:
        """Gives both services another image and adds ``app``; approved."""
        old = self.file.read_text()
        new = old.replace(self.images["good"], self.images[image]).replace(
            "volumes:\n  data:\n",
            f"  app:\n    image: {self.images[image]}\n    environment: ['APP_PASSWORD=${{APP_PASSWORD}}']\n"
            "    stop_grace_period: 1s\nvolumes:\n  data:\n",
        )
        if image == "sick":
            check = "    healthcheck: {test: ['CMD', 'false'], interval: 1s, retries: 2}\n"
            new = new.replace("    restart: unless-stopped\n", f"    restart: unless-stopped\n{check}")
        draft = Draft(
            operation="test",
            summary="Change everything",
            edits=(FileEdit(f"{self.stack}/compose.yaml", old, new),),
            actions=(
                EngineAction(ActionKind.PULL, "images", self.stack, ("web", "idle", "app")),
                EngineAction(ActionKind.UP, "start", self.stack, ("web", "idle", "app")),
            ),
            verification=Verification(self.stack, ("web", "idle", "app")),
            target="web",
        )
        desk = planner(self.lab)
        made = desk.make(draft, desk.snapshot(containers=True), Requester("cli"), unjudged)
        approvals(self.lab).dialog(made, "web", "test")
        return made

    def seen(self) -> dict[str, tuple[str, bool]]:
        """Service to (image, runs)."""
        return {c.service: (c.image, c.state == "running") for c in self.lab.engine.containers(self.stack)}

    def worker(self, plan: Plan, **environment: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "homelab_mcp.worker", "--root", str(self.root), "apply", plan.id]
        return subprocess.Popen(argv, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)

    def words(self, plan: Plan) -> str:
        status = self.lab.plans.status(plan.id)
        return " ".join([status.error, *(f"{e.what} {e.detail}" for e in status.evidence)])


@pytest.fixture
def rig(tmp_path: Path, stand_in: Callable[..., LocalImage]) -> Iterator[Rig]:
    run = secrets.token_hex(4)
    variants = {"good": None, "next": None, "sick": "unhealthy", "crash": "crash_loop"}
    images = {}
    for name, variant in variants.items():
        options = {"variant": variant} if variant else {}
        images[name] = stand_in(f"homelab-testbed/hard:{run}-{name}", service="web", ports=[80], **options).reference
    images["nowhere"] = f"homelab-testbed/hard:{run}-nowhere"
    made = Rig(tmp_path / "lab", run, images)
    try:
        yield made
    finally:
        project = f"label=com.docker.compose.project={made.stack}"
        found = subprocess.run(["docker", "ps", "-aq", "--filter", project], capture_output=True, text=True, check=True)
        for container in found.stdout.split():
            subprocess.run(["docker", "rm", "-fv", container], capture_output=True, check=False)
        for kind in ("volume", "network"):
            names = subprocess.run(
                ["docker", kind, "ls", "-q", "--filter", project], capture_output=True, text=True, check=True
            )
            for name in names.stdout.split():
                subprocess.run(["docker", kind, "rm", name], capture_output=True, check=False)
        for image in images.values():
            subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True, check=False)


@pytest.mark.parametrize(
    ("image", "said"), [("sick", "unhealthy"), ("crash", "exited with code 1"), ("nowhere", "pull")]
)
@pytest.mark.timeout(180)
def test_a_service_that_does_not_hold_leaves_the_lab_as_before(rig: Rig, image: str, said: str) -> None:
    text, containers = rig.file.read_text(), rig.seen()
    plan = rig.plan(image)
    rig.worker(plan).wait(timeout=150)
    status = rig.lab.plans.status(plan.id)
    assert status.state is PlanState.ROLLED_BACK, status
    assert said in rig.words(plan)
    assert "canary-5f2c91aa7d" not in rig.words(plan)
    assert rig.file.read_text() == text
    assert rig.seen() == containers


class Gate:
    """A way to the engine's socket that can be shut: to what goes through it, Docker is gone."""

    def __init__(self, path: Path) -> None:
        self.path, self.open = path, True
        self.pairs: list[socket.socket] = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            if not self.open:
                near.close()
                continue
            far = socket.socket(socket.AF_UNIX)
            far.connect("/var/run/docker.sock")
            self.pairs += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def shut(self) -> None:
        self.open = False
        for one in self.pairs:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self.server.close()
        self.shut()
        for one in self.pairs:
            one.close()


@pytest.fixture
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    made = Gate(tmp_path_factory.mktemp("g") / "d.sock")
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("step", ["pull", "up", "verifying"])
@pytest.mark.timeout(180)
def test_docker_gone_in_the_middle_and_back_again_leaves_the_lab_as_before(rig: Rig, gate: Gate, step: str) -> None:
    text, containers = rig.file.read_text(), rig.seen()
    plan = rig.plan()
    child = rig.worker(plan, DOCKER_HOST=f"unix://{gate.path}")
    until = time.monotonic() + 60
    while not rig.lab.plans.status(plan.id).step.startswith(step):
        assert time.monotonic() < until, rig.lab.plans.status(plan.id)
        time.sleep(0.01)
    gate.shut()
    time.sleep(4)
    gate.open = True
    child.wait(timeout=120)
    status = rig.lab.plans.status(plan.id)
    assert status.state is PlanState.ROLLED_BACK, status
    assert rig.file.read_text() == text
    assert rig.seen() == containers


@pytest.mark.timeout(180)
def test_a_plan_whose_worker_was_killed_says_so_and_apply_plan_puts_it_right(rig: Rig) -> None:
    from homelab_mcp.workflow.plan_view import view

    text, containers = rig.file.read_text(), rig.seen()
    plan = rig.plan()
    child = rig.worker(plan)
    while not rig.lab.plans.status(plan.id).step.startswith("up"):
        time.sleep(0.01)
    child.kill()
    child.wait()
    # Compose may work on for a moment; the lab counts as busy until it is gone.
    until = time.monotonic() + 30
    while rig.lab.lock.holder():
        assert time.monotonic() < until
        time.sleep(0.05)
    told = approvals(rig.lab).state(plan.id)
    assert told.error_code == "interrupted"
    assert "apply_plan" in view(plan, told, time.time()).next
    later = applier(rig.lab)
    assert later.journal.entries()[-1]["event"] == "apply_begin"
    start(rig.lab, plan.id)
    until = time.monotonic() + 90
    while rig.lab.plans.status(plan.id).state is PlanState.APPLYING:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert rig.lab.plans.status(plan.id).state is PlanState.ROLLED_BACK
    assert (rig.file.read_text(), rig.seen()) == (text, containers)
