"""Plans applied for real: a real engine, real Compose, stand-in images."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.adapters.approver import KeyFileApprover
from homelab_mcp.adapters.clock import SystemClock
from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.adapters.git_history import GitHistory
from homelab_mcp.adapters.http_probe import TraefikProbe
from homelab_mcp.adapters.journal import JsonlJournal
from homelab_mcp.adapters.lock import LabLock
from homelab_mcp.adapters.plan_store import FilePlanStore
from homelab_mcp.model.errors import PlanRefused
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
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.approvals import Approvals
from homelab_mcp.workflow.planner import Planner
from homelab_mcp.workflow.recovery import Recovery
from homelab_mcp.workflow.verifier import Patience, Verifier
from testbed import LocalImage
from tests.unit.workflow.unjudged import unjudged

pytestmark = pytest.mark.timeout(180)


class RealLab:
    """A lab with one stack ``stack`` and its service ``web``; everything real but the images."""

    def __init__(self, root: Path, stack: str, images: dict[str, str]) -> None:
        self.root, self.stack, self.images = root, stack, images
        (root / stack).mkdir(parents=True)
        self.compose_file = root / stack / "compose.yaml"
        self.compose_file.write_text(f"services:\n  web:\n    image: {images['good']}\n    restart: unless-stopped\n")
        files, clock, engine, compose = LabFiles(root), SystemClock(), DockerEngine(), ComposeCli(root)
        plans, journal = FilePlanStore(root), JsonlJournal(root)
        approver = KeyFileApprover(root / ".homelab" / "approver.json")
        self.engine, self.compose, self.journal = engine, compose, journal
        self.planner = Planner(files=files, plans=plans, journal=journal, clock=clock, engine=engine, compose=compose)
        self.approvals = Approvals(plans=plans, journal=journal, approver=approver, clock=clock)
        probe = TraefikProbe("127.0.0.1", 1)
        self.applier = Applier(
            files=files,
            history=GitHistory(root),
            journal=journal,
            plans=plans,
            approver=approver,
            lock=LabLock(root),
            clock=clock,
            engine=engine,
            compose=compose,
            verifier=Verifier(engine=engine, probe=probe, clock=clock, patience=Patience(stable=4, health=30)),
        )

    def apply(self, after: str, service: str, *actions: EngineAction, gone: tuple[str, ...] = ()) -> PlanStatus:
        return self.applier.run(self.plan(after, service, *actions, gone=gone).id)

    def plan(self, after: str, service: str, *actions: EngineAction, gone: tuple[str, ...] = ()) -> Plan:
        draft = Draft(
            operation="test",
            summary=f"Change {service}",
            edits=(FileEdit(f"{self.stack}/compose.yaml", self.compose_file.read_text(), after),),
            actions=actions,
            verification=Verification(self.stack, () if gone else (service,), gone),
            target=service,
        )
        snapshot = self.planner.snapshot(containers=True)
        plan = self.planner.make(draft, snapshot, Requester("cli"), unjudged)
        self.approvals.dialog(plan, service, "test")
        return plan

    def up(self, service: str) -> tuple[EngineAction, ...]:
        return (
            EngineAction(ActionKind.PULL, "image", self.stack, (service,)),
            EngineAction(ActionKind.UP, "start", self.stack, (service,)),
        )

    def running(self) -> dict[str, tuple[str, str, str]]:
        return {c.service: (c.image, c.config_hash, c.state) for c in self.engine.containers(self.stack)}


@pytest.fixture
def lab(tmp_path: Path, stand_in: Callable[..., LocalImage]) -> Iterator[RealLab]:
    run = secrets.token_hex(4)
    images = {
        "good": stand_in(f"homelab-testbed/apply:{run}-good", service="web", ports=[80]).reference,
        "next": stand_in(f"homelab-testbed/apply:{run}-next", service="next", ports=[80]).reference,
        "crash": stand_in(f"homelab-testbed/apply:{run}-crash", service="web", variant="crash_loop").reference,
    }
    made = RealLab(tmp_path / "lab", f"apply-{run}", images)
    made.compose.up(made.stack, ())
    try:
        yield made
    finally:
        made.compose.down(made.stack)
        for image in images.values():
            subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True, check=False)


def test_a_service_is_added_verified_and_taken_away_again(lab: RealLab) -> None:
    old = lab.compose_file.read_text()
    new = f"{old}  app:\n    image: {lab.images['next']}\n    volumes: ['./app/data:/data']\n"
    status = lab.apply(new, "app", *lab.up("app"))
    assert status.state is PlanState.DONE, status
    assert {s: state for s, (_, _, state) in lab.running().items()} == {"web": "running", "app": "running"}
    assert (lab.root / lab.stack / "app" / "data").is_dir()
    removal = EngineAction(ActionKind.REMOVE, "asked", lab.stack, ("app",))
    status = lab.apply(old, "app", removal, gone=("app",))
    assert status.state is PlanState.DONE, status
    assert set(lab.running()) == {"web"}
    assert lab.compose_file.read_text() == old
    assert lab.journal.verify() == ""


def test_a_crash_looping_update_is_rolled_back_and_the_old_version_serves(lab: RealLab) -> None:
    old, before = lab.compose_file.read_text(), lab.running()
    begun = SystemClock().monotonic()
    status = lab.apply(old.replace(lab.images["good"], lab.images["crash"]), "web", *lab.up("web"))
    assert status.state is PlanState.ROLLED_BACK, status
    assert "crash-loops" in status.error
    assert SystemClock().monotonic() - begun < 60
    assert lab.compose_file.read_text() == old
    assert lab.running() == before


def test_a_stack_whose_project_has_another_name_is_watched_all_the_same(lab: RealLab) -> None:
    lab.compose.down(lab.stack)
    lab.compose_file.write_text(f"name: other-{lab.stack}\n{lab.compose_file.read_text()}")
    lab.compose.up(lab.stack, ())
    old = lab.compose_file.read_text()
    assert lab.running() == {}, "the engine knows it by the other name"
    before = {c.service: c.config_hash for c in lab.engine.containers(f"other-{lab.stack}")}
    status = lab.apply(old.replace(lab.images["good"], lab.images["crash"]), "web", *lab.up("web"))
    assert status.state is PlanState.ROLLED_BACK, status
    assert {c.service: c.config_hash for c in lab.engine.containers(f"other-{lab.stack}")} == before
    status = lab.apply(old.replace(lab.images["good"], lab.images["next"]), "web", *lab.up("web"))
    assert status.state is PlanState.DONE, status


def test_an_image_that_cannot_be_pulled_leaves_the_running_container_alone(lab: RealLab) -> None:
    ids = {c.id: c.started_at for c in lab.engine.containers(lab.stack)}
    old = lab.compose_file.read_text()
    status = lab.apply(old.replace(lab.images["good"], "127.0.0.1:1/none/such:1"), "web", *lab.up("web"))
    assert status.state is PlanState.ROLLED_BACK, status
    assert {c.id: c.started_at for c in lab.engine.containers(lab.stack)} == ids
    assert lab.compose_file.read_text() == old


def test_what_moves_between_plan_and_apply_makes_it_stale_and_a_tag_that_moves_does_not(lab: RealLab) -> None:
    old = lab.compose_file.read_text()
    new = old.replace(lab.images["good"], lab.images["next"])
    (web,) = lab.engine.containers(lab.stack)

    def docker(*arguments: str) -> int:
        return subprocess.run(["docker", *arguments], capture_output=True, check=True, timeout=30).returncode

    def recreate() -> None:
        docker("rm", "-f", web.id)
        lab.compose.up(lab.stack, ())

    moves: dict[str, Callable[[], object]] = {
        f"file {lab.stack}/compose.yaml changed": lambda: lab.compose_file.write_text(old + "# by hand\n"),
        f"file {lab.stack}/.env appeared": lambda: (lab.root / lab.stack / ".env").write_text("A=b\n"),
        "file homelab.yaml appeared": lambda: (lab.root / "homelab.yaml").write_text("domain: lab.test\n"),
        "stopped": lambda: docker("stop", "--time", "1", web.id),
        "started and paused": lambda: [docker(verb, web.id) for verb in ("start", "pause")],
        "recreated": recreate,
        f"container {lab.stack}/web removed": lambda: lab.compose.remove(lab.stack, ("web",)),
    }
    for what, move in moves.items():
        plan = lab.plan(new, "web", *lab.up("web"))
        move()
        with pytest.raises(PlanRefused) as caught:
            lab.applier.run(plan.id)
        assert caught.value.code == "plan_stale", what
        moved = caught.value.details["changed"]
        assert what in str(moved) or f"container {lab.stack}/web" in str(moved), (what, moved)
        lab.compose_file.write_text(old)
    lab.compose.up(lab.stack, ())
    plan = lab.plan(new, "web", *lab.up("web"))
    docker("tag", lab.images["crash"], lab.images["good"])
    assert next(iter(lab.running().values()))[0] != lab.images["good"], "the engine calls its image by another name now"
    assert lab.applier.run(plan.id).state is PlanState.DONE


def test_an_apply_that_died_after_it_started_containers_is_undone(lab: RealLab) -> None:
    old, before = lab.compose_file.read_text(), lab.running()
    new = old.replace(lab.images["good"], lab.images["next"]) + f"  app:\n    image: {lab.images['next']}\n"
    edit = FileEdit(f"{lab.stack}/compose.yaml", old, new)
    actions = (EngineAction(ActionKind.UP, "start", lab.stack, ("web", "app")),)
    draft = Draft("test", "Change web", (edit,), actions, Verification(lab.stack, ("web", "app")), target="web")
    snapshot = lab.planner.snapshot(containers=True)
    plan = lab.planner.make(draft, snapshot, Requester("cli"), unjudged)
    remembered = lab.applier.undo.remember(plan)
    assert lab.applier.plans.consume(plan.id)
    lab.journal.append("apply_begin", {"plan": plan.id, **remembered.as_dict()})
    lab.compose_file.write_text(new)
    lab.compose.up(lab.stack, ("web", "app"))
    (report,) = Recovery(lab.applier).recover()
    assert report.outcome is PlanState.ROLLED_BACK, report
    assert lab.compose_file.read_text() == old
    assert lab.running() == before
    assert Recovery(lab.applier).recover() == []
