"""Updates with a real registry: what is newer, all or none, and the very image from before when it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.queries.check_updates import ImageUpdate, check_updates
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.propose_updates import propose_updates
from homelab_mcp.workflow.verifier import Patience
from testbed import LocalImage, Scratch
from testbed.docker_engine import docker
from testbed.registry import push, running_registry
from tests.doc_play import played, shell_of

pytestmark = pytest.mark.timeout(180)

PIN = "27182818"
CLI = Requester("cli")
TAIL = (
    "    restart: unless-stopped\n    stop_grace_period: 1s\n    init: true\n"
    "    healthcheck: {test: ['CMD', 'true'], interval: 300ms, retries: 3}\n"
)


class UpdateRig:
    """A registry with several versions of two programs, and a stack that runs the oldest of each."""

    def __init__(self, root: Path, scratch: Scratch, stand_in: Callable[..., LocalImage], address: str) -> None:
        run = scratch.run_id
        self.root, self.address = root, address
        self.local: list[str] = []
        self.wiki, self.shop = f"{address}/wiki-{run}", f"{address}/shop-{run}"
        self.stand_in = stand_in
        for name, tags in ((self.wiki, ("1.0.0-slim", "1.1.0-slim", "2.0.0-slim", "3.0.0")), (self.shop, ("4", "5"))):
            for tag in tags:
                self.publish(name, tag, "serve")
        self.stack = scratch.claim_project(f"apps-{run}")
        beside = stand_in(f"homelab-testbed/beside-{run}:1", service="beside", ports=[81]).reference
        self.local.append(beside)
        folder = root / self.stack
        folder.mkdir(parents=True)
        (root / "homelab.yaml").write_text("domain: lab.test\n")
        (folder / "compose.yaml").write_text(
            f"services:\n  wiki: # the family's\n    image: {self.wiki}:1.0.0-slim\n{TAIL}"
            f"  beside:\n    image: {beside}\n    network_mode: service:wiki\n"
            "    depends_on: [wiki]\n    restart: unless-stopped\n    init: true\n"
            f"  shop:\n    image: {self.shop}:4\n{TAIL}"
        )
        self.lab = LocalLab(str(root))
        self.lab.history.ensure()
        self.lab.approver.create(PIN)
        self.lab.compose.up(self.stack, ())

    def publish(self, repository: str, tag: str, variant: str) -> None:
        """Make an image and push it; on this machine its name is gone afterwards."""
        local = f"homelab-testbed/push-{repository.rpartition('/')[2]}:{tag}-{variant}-{len(self.local)}"
        self.stand_in(local, service=f"{tag}-{len(self.local)}", ports=[80], variant=variant)
        self.local.append(local)
        push(local, f"{repository}:{tag}")

    def found(self) -> dict[str, ImageUpdate]:
        return {f.service: f for f in check_updates(self.lab, self.stack)}

    def apply(self, plan: Plan) -> PlanStatus:
        approvals(self.lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(self.lab, Patience(stable=2)).run(plan.id)

    def images(self) -> dict[str, str]:
        """Service -> the id of the image that it runs on."""
        names = ("wiki", "beside", "shop")
        return {n: docker("inspect", "--format", "{{.Image}}", f"{self.stack}-{n}-1") for n in names}

    def ids(self) -> dict[str, str]:
        return {c.service: c.id for c in self.lab.engine.containers(self.stack)}


@pytest.fixture
def rig(tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]) -> Iterator[UpdateRig]:
    with Scratch() as scratch, running_registry(tmp_path) as address:
        made = UpdateRig(tmp_path / "lab", scratch, stand_in, address)
        yield made
        made.lab.compose.down(made.stack)
        ours = docker("images", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}}").splitlines()
        for name in {o.partition("@")[0] for o in ours if o.startswith(address)} | set(made.local):
            if not name.endswith("<none>"):
                docker("rmi", "--force", name)


def test_what_is_newer_is_told_by_the_tags_own_shape_and_all_is_updated_in_one_plan(rig: UpdateRig) -> None:
    found = rig.found()
    assert (found["wiki"].state, found["wiki"].newest, found["wiki"].level) == ("update", "2.0.0-slim", "major")
    assert (found["shop"].state, found["shop"].newest, found["shop"].level) == ("update", "5", "major")
    before, ids = rig.images(), rig.ids()

    plan = propose_updates(rig.lab, ["wiki=1.1.0-slim", "shop=5"], CLI, stack=rig.stack)
    kinds = [str(a.kind) for a in plan.draft.actions]
    assert kinds == ["pull", "up"]
    assert rig.apply(plan).state is PlanState.DONE
    text = (rig.root / rig.stack / "compose.yaml").read_text()
    assert "  wiki: # the family's\n" in text
    assert f"image: {rig.wiki}:1.1.0-slim\n" in text
    after = rig.images()
    assert (after["wiki"] != before["wiki"], after["shop"] != before["shop"]) == (True, True)
    # What lives in its network is made anew with it.
    assert rig.ids()["beside"] != ids["beside"]
    assert rig.found()["shop"].state == "current"


def test_one_that_does_not_hold_takes_all_back_to_the_very_images_from_before(rig: UpdateRig) -> None:
    rig.publish(rig.shop, "6", "crash_loop")
    # Meanwhile somebody pushed another image under the tag in use: the way back must not take that one.
    rig.publish(rig.shop, "4", "serve")
    before, text = rig.images(), (rig.root / rig.stack / "compose.yaml").read_text()
    plan = propose_updates(rig.lab, ["wiki", "shop"], CLI, stack=rig.stack, most="major")
    status = rig.apply(plan)
    assert status.state is PlanState.ROLLED_BACK, status
    assert (rig.root / rig.stack / "compose.yaml").read_text() == text
    assert rig.images() == before


def test_a_tag_that_moved_is_seen_and_taken_by_its_digest(rig: UpdateRig) -> None:
    compose = rig.root / rig.stack / "compose.yaml"
    compose.write_text(compose.read_text().replace(f"{rig.wiki}:1.0.0-slim", f"{rig.wiki}:stable"))
    rig.publish(rig.wiki, "stable", "serve")
    rig.lab.compose.pull(rig.stack, ())
    rig.lab.compose.up(rig.stack, ())
    assert rig.found()["wiki"].state == "current"
    rig.publish(rig.wiki, "stable", "serve")
    moved = rig.found()["wiki"]
    assert moved.state == "moved"
    before = rig.images()
    plan = propose_updates(rig.lab, ["wiki"], CLI, stack=rig.stack)
    assert rig.apply(plan).state is PlanState.DONE
    assert f"image: {rig.wiki}:stable@{moved.digest}\n" in compose.read_text()
    assert rig.images()["wiki"] != before["wiki"]
    assert rig.found()["wiki"].state == "current"


def test_labels_hold_back_and_what_cannot_be_asked_is_said(rig: UpdateRig) -> None:
    compose = rig.root / rig.stack / "compose.yaml"
    text = compose.read_text().replace("  shop:\n", "  shop:\n    labels: {homelab.update: pin}\n")
    compose.write_text(text.replace("  wiki: # the family's\n", "  wiki:\n    labels: {homelab.update: minor}\n"))
    found = rig.found()
    assert (found["shop"].state, found["shop"].beyond) == ("pinned", "5")
    assert (found["wiki"].newest, found["wiki"].beyond) == ("1.1.0-slim", "2.0.0-slim")
    compose.write_text(compose.read_text().replace(rig.address, "127.0.0.1:9"))
    found = rig.found()
    assert found["wiki"].state == "unknown"
    assert "127.0.0.1:9 cannot be reached" in found["wiki"].why


def test_the_page_s_commands_find_what_is_newer_and_take_it(rig: UpdateRig) -> None:
    with played("docs/after-setup.md", __file__) as play:
        (told,) = play.type(shell_of(rig.root))
        assert f"{rig.stack}/wiki" in told.said and "2.0.0-slim (major)" in told.said, told
    compose = rig.root / rig.stack / "compose.yaml"
    compose.write_text(compose.read_text().replace("  wiki: #", "  wiki:\n    labels: {homelab.update: minor} #"))
    shell = shell_of(rig.root, {"--stack media": f"--stack {rig.stack}", "shop=5.1.0": "shop=5"})
    with played("docs/updates.md", __file__) as play:
        minor, major, some = play.lines
        # Nobody says yes to these two: they wait.
        (told,) = play.type(shell, minor)
        assert ("1.1.0-slim" in told.said, f"{rig.shop}:5" in told.said) == (True, False), told
        (told,) = play.type(shell, major)
        assert ("1.1.0-slim" in told.said, f"{rig.shop}:5" in told.said) == (True, True), told
        before = rig.images()
        (told,) = play.type(shell, some, replies=[("Approval PIN", PIN)])
        assert told.code == 0, told
    after = rig.images()
    assert (after["wiki"] != before["wiki"], after["shop"] != before["shop"]) == (True, True)
    text = compose.read_text()
    assert f"image: {rig.wiki}:1.1.0-slim\n" in text
    assert f"image: {rig.shop}:5\n" in text
