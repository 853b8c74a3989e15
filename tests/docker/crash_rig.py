"""A lab of two stacks that one plan changes throughout, and what must be true of it after any crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Plan,
    PlanState,
    PlanStatus,
    Requester,
    Verification,
)
from homelab_mcp.workflow.approvals import STARTING
from homelab_mcp.workflow.assembly import approvals, planner, recovery
from testbed import LocalImage, Scratch
from tests.unit.workflow.unjudged import unjudged

ROOT = Path(__file__).parents[2]
CHECK = "    healthcheck: {test: ['CMD', 'true'], interval: 300ms, retries: 3}\n"
NOT_BEGUN = {PlanState.APPROVED, PlanState.QUEUED}
"""A process that died before it took the plan leaves it queued: for half a minute another may be starting."""
WORKER_SECONDS = 600
"""A hanging apply is found by this; a machine with much else to do takes minutes for what takes seconds."""
OURS = {"homelab.yaml", ".gitignore"}
ENDED = {PlanState.DONE: {"apply_done", "recovered"}, PlanState.ROLLED_BACK: {"rolled_back", "recovered"}}


class CrashRig:
    """Stacks ``front`` (``web`` with a volume, ``idle`` stopped by hand) and ``back`` (``api``), all from one image.

    ``plan()`` gives everything the other image, adds or removes ``app`` with its network, writes a secret, makes one
    file and removes another; the next one takes that back.
    """

    def __init__(self, root: Path, scratch: Scratch, stand_in: Callable[..., LocalImage]) -> None:
        run = scratch.run_id
        self.root, self.network = root, scratch.name("crash")
        self.images = [
            stand_in(f"homelab-testbed/crash:{run}-{n}", service="web", ports=[80]).reference for n in (0, 1)
        ]
        self.front = scratch.claim_project(f"front-{run}")
        self.back = scratch.claim_project(f"back-{run}")
        root.mkdir(parents=True)
        (root / "homelab.yaml").write_text("domain: lab.test\n")
        for path, text in self.texts(0).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                (root / path).write_text(text)
                (root / path).chmod(0o600 if path.endswith(".env") else 0o640)
        self.lab = LocalLab(str(root))
        self.lab.history.ensure()
        self.lab.compose.up(self.front, ())
        self.lab.compose.up(self.back, ())
        self.side = 0
        self.rest()

    def texts(self, side: int) -> dict[str, str | None]:
        """The lab's files on either side of the change."""
        tail = f"    restart: unless-stopped\n    stop_grace_period: 1s\n{CHECK}"
        image = f"    image: {self.images[side]}\n"
        front = f"# by hand\nservices:\n  web:\n{image}    volumes: ['data:/data']\n{tail}  idle:\n{image}{tail}"
        nets = ""
        if side:
            front += f"  app:\n{image}    environment: ['PASSWORD=${{PASSWORD}}']\n    networks: [own]\n{tail}"
            nets = f"networks:\n  own: {{name: {self.network}, external: true}}\n"
        return {
            f"{self.front}/compose.yaml": front + "volumes:\n  data:\n" + nets,
            f"{self.front}/.env": "TZ='Etc/UTC'\n" + ("PASSWORD='canary-91aa7d5f2c'\n" if side else ""),
            f"{self.front}/web/old.conf": None if side else "listen = 80\n" * 200,
            f"{self.front}/app/conf/new.conf": "listen = 81\n" * 200 if side else None,
            f"{self.back}/compose.yaml": f"services:\n  api:\n{image}{tail}",
        }

    def rest(self) -> None:
        """Stop by hand what is not to run where nothing was changed."""
        if not self.side:
            self.lab.compose.stop(self.front, ("idle",))
            self.lab.engine.remove_network(self.network)

    def plan(self) -> Plan:
        """The change to the other side, approved and queued."""
        before, after = self.texts(self.side), self.texts(1 - self.side)
        edits = []
        for path, text in after.items():
            if text != before[path]:
                secret = path.endswith(".env")
                edits.append(FileEdit(path, before[path], text, 0o600 if secret else 0o640, secret=secret))
        app = ("app",)
        services = ("web", "idle", *(() if self.side else app))
        ends: tuple[EngineAction, ...] = (EngineAction(ActionKind.REMOVE, "asked", self.front, app),)
        if not self.side:
            ends = (EngineAction(ActionKind.CREATE_NETWORK, "route", name=self.network),)
        draft = Draft(
            operation="test",
            summary="Change everything",
            edits=tuple(edits),
            actions=(
                *ends,
                EngineAction(ActionKind.PULL, "images", self.front, services),
                EngineAction(ActionKind.PULL, "images", self.back, ("api",)),
                EngineAction(ActionKind.UP, "start", self.front, services),
                EngineAction(ActionKind.UP, "start", self.back, ("api",)),
            ),
            verification=Verification(self.front, services, app if self.side else ()),
            target="web",
        )
        desk = planner(self.lab)
        made = desk.make(draft, desk.snapshot(containers=True), Requester("cli"), unjudged)
        approvals(self.lab).dialog(made, "web", "test")
        self.lab.plans.set_status(made.id, PlanStatus(PlanState.QUEUED, "starting", updated=time.time()))
        return made

    def worker(self, plan: Plan, **environment: str) -> subprocess.Popen[bytes]:
        """The apply in a process of its own, with named points."""
        argv = [sys.executable, "-m", "tests.failpoints", "--root", str(self.root), "apply", plan.id]
        log = (self.root.parent / "worker.log").open("ab")
        with log:
            return subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log)

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Content and mode of every file of the lab but git's and our own."""
        return {
            str(p.relative_to(self.root)): (p.read_bytes(), p.stat().st_mode & 0o777)
            for p in sorted(self.root.rglob("*"))
            if p.is_file() and not {".git", ".homelab"} & set(p.relative_to(self.root).parts)
        }

    def containers(self) -> dict[str, tuple[str, str, bool]]:
        """Container's name to (image, Compose's hash of its settings, whether it runs)."""
        found = [*self.lab.engine.containers(self.front), *self.lab.engine.containers(self.back)]
        return {c.name: (c.image, c.config_hash, c.state == "running") for c in found}

    def wanted(self, *, idle: bool) -> dict[str, tuple[str, str, bool]]:
        """As ``containers``, by what the files say, with the hashes of Compose itself."""
        found = {}
        for stack in (self.front, self.back):
            command = ["docker", "compose", "config", "--hash", "*"]
            said = subprocess.run(
                command, cwd=self.root / stack, capture_output=True, text=True, check=True, timeout=20
            )
            for service, code in (line.split() for line in said.stdout.splitlines()):
                found[f"{stack}-{service}-1"] = (self.images[self.side], code, service != "idle" or idle)
        return found

    def put_right(self, plan: Plan, way: str) -> None:
        """Recover as one of those would who come next: a call in a server, the command, or apply_plan asked again."""
        if way == "call":
            recovery(self.lab).recover()
            return
        argv = [sys.executable, "-m", "homelab_mcp", "--root", str(self.root), "recover", "--json"]
        if way == "worker":
            argv = [sys.executable, "-m", "homelab_mcp.worker", "--root", str(self.root), "apply", plan.id]
        subprocess.run(argv, capture_output=True, check=False, timeout=WORKER_SECONDS)

    def judge(self, plan: Plan, files: dict[str, tuple[bytes, int]], where: object) -> PlanState:
        """Hold the lab against what must be true after a recovery; how the plan ended."""
        status = self.lab.plans.status(plan.id)
        starting = status.state is PlanState.QUEUED and time.time() - status.updated < STARTING
        where = (where, plan.id, status)
        assert status.state in {PlanState.DONE, PlanState.ROLLED_BACK, *NOT_BEGUN}, where
        idle = bool(self.side)
        if status.state is PlanState.DONE:
            self.side, idle = 1 - self.side, True
            texts = {p: t.encode() for p, t in self.texts(self.side).items() if t is not None}
            assert {p: c for p, (c, _) in self.files().items() if p not in OURS} == texts, where
        else:
            assert self.files() == files, where
        assert [p for p in self.root.rglob("*.homelab-tmp") if ".homelab" not in p.parts] == [], where
        assert self.lab.journal.verify() == "", where
        found, wanted = self.containers(), self.wanted(idle=idle)
        assert found == wanted, (where, sorted(set(found.items()) ^ set(wanted.items())))
        if self.side or status.state is not PlanState.DONE:
            assert (self.network in self.lab.engine.networks()) is bool(self.side), where
        ends = [e["event"] for e in self.lab.journal.entries() if (e["data"] or {}).get("plan") == plan.id]
        if status.state in NOT_BEGUN or "apply_begin" not in ends:
            assert not self.lab.plans.used(plan.id) or status.state is PlanState.ROLLED_BACK, where
        else:
            assert ends[-1] in ENDED[status.state], (where, ends)
        if starting:
            # On a busy machine this judgement alone takes longer than a worker may.
            self.lab.plans.set_status(plan.id, replace(status, updated=time.time()))
        lines, now = len(self.lab.journal.entries()), self.files()
        assert not recovery(self.lab).needed(), where
        assert recovery(self.lab).recover() == [], where
        assert (len(self.lab.journal.entries()), self.files()) == (lines, now), where
        assert list(self.root.rglob("*.homelab-tmp")) == [], where
        if status.state is PlanState.QUEUED:
            # In half a minute it would count as abandoned, in the middle of a later turn's judgement.
            self.lab.plans.set_status(plan.id, replace(status, state=PlanState.APPROVED))
        return status.state

    def finish(self, plan: Plan) -> PlanStatus:
        """Apply to the end, on the other side afterwards."""
        assert self.worker(plan).wait(timeout=WORKER_SECONDS) == 0, self.lab.plans.status(plan.id)
        self.side = 1 - self.side
        return self.lab.plans.status(plan.id)


def kill_all(child: subprocess.Popen[bytes]) -> None:
    """Kill a process with everything that it started, as the kernel does when memory runs out."""
    pids, found = [child.pid], [child.pid]
    while pids:
        try:
            below = Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text().split()
        except OSError:
            below = []
        pids = [*pids[1:], *map(int, below)]
        found += map(int, below)
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    child.wait()


def reaches(seconds: float, check: Callable[[], bool]) -> bool:
    """Whether that comes true in time."""
    until = time.monotonic() + seconds
    while not check():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
