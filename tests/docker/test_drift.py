"""Drift on a real engine, by Compose's own hashes: found with the right words, adopted, undone."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester, Risk
from homelab_mcp.queries.lab_status import status_of
from homelab_mcp.queries.review import review
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.proposals import propose_resolve_drift, propose_set_env
from testbed import LocalImage, free_port

pytestmark = pytest.mark.timeout(120)

PIN = "27182818"
CANARY = "canary-5f2c91aa7d"
KEPT = (
    "    restart: unless-stopped\n    stop_grace_period: 1s\n"
    "    healthcheck: {test: [CMD, /bin/busybox, 'true'], interval: 500ms}\n"
)


class Rig:
    """One stack: ``web`` with variables, labels and a port, and ``side`` with an env_file; both run."""

    def __init__(self, root: Path, run: str, images: dict[str, str]) -> None:
        self.root, self.images, self.stack = root, images, f"drift-{run}"
        folder = root / self.stack
        folder.mkdir(parents=True)
        (root / "homelab.yaml").write_text("domain: lab.test\n")
        self.file, self.env = folder / "compose.yaml", folder / ".env"
        self.env.write_text(f"TOKEN='{CANARY}$x'\nMODE=plain\n")
        self.port = free_port()
        self.file.write_text(
            f"services:\n  web:\n    image: {images['good']}\n{KEPT}"
            "    environment:\n      TOKEN: ${TOKEN}\n      MODE: ${MODE}\n"
            f"    labels:\n      lab.role: front\n    ports: ['127.0.0.1:{self.port}:80']\n"
            f"  side:\n    image: {images['good']}\n{KEPT}"
            "    env_file: [.env]\n"
        )
        self.lab = LocalLab(str(root))
        self.lab.approver.create(PIN)
        self.lab.history.commit(["homelab.yaml", f"{self.stack}/compose.yaml"], "as it is")
        self.lab.compose.up(self.stack, ())

    def docker(self, *command: str) -> str:
        return subprocess.run(["docker", *command], capture_output=True, text=True, check=True).stdout

    def lines(self) -> list[str]:
        """The containers' drift, with the names that differ a run taken out."""
        found = review(self.lab, self.stack)
        assert CANARY not in str(found.as_dict())
        lines = found.as_dict()["containers"]
        return [line.replace(self.stack, "S").replace(self.images["good"], "GOOD") for line in lines]

    def apply(self, plan: Plan) -> PlanStatus:
        if plan.risk is Risk.HIGH:
            approvals(self.lab).out_of_band(plan.id, PIN, who="test", approved=True)
        else:
            approvals(self.lab).dialog(plan, plan.draft.target, "test")
        status = applier(self.lab).run(plan.id)
        assert status.state is PlanState.DONE, status
        return status

    def resolve(self, how: str) -> Plan:
        plan = propose_resolve_drift(self.lab, self.stack, how, Requester("cli"))
        self.apply(plan)
        return plan

    def clean(self) -> bool:
        found = review(self.lab)
        assert found.clean, found.as_dict()
        return True

    def git(self, *command: str) -> str:
        own = ["git", "-c", "safe.directory=*", "-C", str(self.root), *command]
        return subprocess.run(own, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def images(stand_in: Callable[..., LocalImage]) -> dict[str, str]:
    run = secrets.token_hex(4)
    return {
        n: stand_in(f"homelab-testbed/drift:{run}-{n}", service="web", ports=[80]).reference for n in ("good", "next")
    }


@pytest.fixture
def rig(tmp_path: Path, images: dict[str, str]) -> Iterator[Rig]:
    made = Rig(tmp_path / "lab", secrets.token_hex(4), images)
    try:
        yield made
    finally:
        project = f"label=com.docker.compose.project={made.stack}"
        for container in made.docker("ps", "-aq", "--filter", project).split():
            made.docker("rm", "-fv", container)
        for network in made.docker("network", "ls", "-q", "--filter", project).split():
            made.docker("network", "rm", network)


def test_what_compose_just_brought_up_is_no_drift(rig: Rig) -> None:
    assert rig.clean(), "with variables, env_file, a dollar sign, labels and ports"
    begun = time.monotonic()
    rig.lab.compose.hashes(rig.stack)
    assert time.monotonic() - begun < 2.0
    assert all("drift" not in row for row in status_of(rig.lab, rig.stack)["services"])


def test_who_uses_anothers_network_is_as_its_file_says_until_that_one_is_made_anew(rig: Rig) -> None:
    image = rig.images["good"]
    rig.file.write_text(
        f"services:\n  gate:\n    image: {image}\n{KEPT}  client:\n    image: {image}\n{KEPT}"
        # It may not listen where the gateway does: then it ends, and is started again ever more seldom.
        "    entrypoint: [/bin/busybox, sleep, '600']\n"
        "    network_mode: service:gate\n    depends_on: {gate: {condition: service_started, restart: true}}\n"
        f"  reader:\n    image: {image}\n{KEPT}    volumes_from: [gate]\n"
    )
    rig.git("commit", "-qam", "a gateway")
    rig.lab.compose.up(rig.stack, ())
    rig.docker("compose", "--project-directory", str(rig.root / rig.stack), "up", "-d", "--remove-orphans")
    assert rig.clean()
    hashes = rig.lab.compose.hashes(rig.stack)
    assert {s for s, told in hashes.items() if told} == {"gate", "client"}
    assert hashes["reader"] == "", "what hangs on another's volumes nobody can tell"
    # One that a person runs beside it is not whose network it is.
    rig.docker(
        "compose", "--project-directory", str(rig.root / rig.stack), "run", "-d", "--name", f"{rig.stack}-a", "gate"
    )
    assert rig.lab.compose.hashes(rig.stack) == hashes
    rig.docker("rm", "-f", f"{rig.stack}-a")
    gate = f"{rig.stack}-gate-1"
    rig.docker("rm", "-f", gate)
    assert {s for s, told in rig.lab.compose.hashes(rig.stack).items() if told} == {"gate"}
    assert [line for line in rig.lines() if "client" in line or "reader" in line] == []
    rig.docker("compose", "--project-directory", str(rig.root / rig.stack), "up", "-d", "--no-deps", "gate")
    assert any("client" in line for line in rig.lines()), rig.lines()


def test_an_edited_compose_file_is_adopted_and_another_undone(rig: Rig) -> None:
    text = rig.file.read_text()
    edited = (
        text.replace("lab.role: front", "lab.role: back\n      lab.new: x")
        .replace("      MODE: ${MODE}\n", "      EXTRA: ${TOKEN}\n")
        .replace(f":{rig.port}:80", f":{rig.port}:81")
        .replace(rig.images["good"], rig.images["next"], 1)
    )
    rig.file.write_text(edited)
    assert rig.lines() == [
        f"S/web differs: image GOOD, file: {rig.images['next']}; environment only in the file: EXTRA; "
        "environment only in the container: MODE; labels changed: lab.role; labels only in the file: lab.new; "
        f"ports 127.0.0.1:{rig.port}:80/tcp, file: 127.0.0.1:{rig.port}:81/tcp"
    ]
    words = {row["service"]: row.get("drift") for row in status_of(rig.lab, rig.stack)["services"]}
    assert words == {"web": "differs", "side": None}
    rig.resolve("adopt")
    assert rig.clean()
    assert rig.file.read_text() == edited
    assert rig.git("show", f"HEAD:{rig.stack}/compose.yaml") == edited
    rig.file.write_text(text)
    rig.lab.compose.up(rig.stack, ())
    plan = rig.resolve("undo")
    assert rig.clean()
    assert rig.file.read_text() == edited
    assert rig.git("show", f"HEAD~1:{rig.stack}/compose.yaml") == text
    assert f"Plan: {plan.id}" in rig.git("log", "-1", "--format=%B")
    assert "Verified: web" in rig.git("log", "-1", "--format=%B")


def test_an_edited_env_file_is_told_by_names_and_adopted_or_undone(rig: Rig) -> None:
    rig.apply(propose_set_env(rig.lab, rig.stack, {"MODE": "shown"}, Requester("cli")))
    assert rig.clean(), "what an apply wrote is no drift"
    before = rig.env.read_text()
    rig.env.write_text(before.replace(CANARY, f"{CANARY}-2") + "MORE=1\n")
    found = review(rig.lab, rig.stack)
    assert [f"{c.word} {c.path}" for c in found.files] == [f"changed {rig.stack}/.env"]
    assert "~ TOKEN (changed, not shown)" in found.diff()
    assert "+ MORE" in found.diff()
    assert [line.split(":")[0] for line in rig.lines()] == ["S/web differs", "S/side differs"]
    rig.resolve("adopt")
    assert rig.clean()
    held = rig.env.read_text()
    rig.env.write_text("MODE=gone\n")
    rig.resolve("undo")
    assert rig.clean()
    assert rig.env.read_text() == held
    assert CANARY not in rig.git("log", "-p", "--all")


@pytest.mark.parametrize("how", ["adopt", "undo"])
def test_a_container_that_was_removed_or_stopped_by_hand(rig: Rig, how: str) -> None:
    rig.docker("rm", "-f", f"{rig.stack}-web-1")
    rig.docker("stop", "-t", "1", f"{rig.stack}-side-1")
    assert rig.lines() == ["S/web missing: no container", "S/side stopped: exited"]
    rig.resolve(how)
    assert rig.lines() == (["S/side stopped: exited"] if how == "adopt" else [])
    if how == "adopt":
        with pytest.raises(InvalidInput, match="nothing in stack"):
            rig.resolve("adopt")


def test_an_orphan_is_told_left_by_adopt_and_removed_by_undo(rig: Rig) -> None:
    labels = {"project": rig.stack, "service": "ghost", "oneoff": "False", "container-number": "1", "config-hash": "x"}
    given = [part for k, v in labels.items() for part in ("--label", f"com.docker.compose.{k}={v}")]
    name = f"{rig.stack}-by-hand"
    rig.docker("run", "-d", "--network", "none", "--name", name, *given, rig.images["good"])
    assert rig.lines() == ["S/ghost orphan: container S-by-hand, which no file knows"]
    with pytest.raises(InvalidInput, match="nothing in stack"):
        rig.resolve("adopt")
    plan = propose_resolve_drift(rig.lab, rig.stack, "undo", Requester("cli"))
    assert plan.risk is Risk.HIGH
    status = rig.apply(plan)
    assert f"{name} removed" in [e.what for e in status.evidence]
    assert rig.clean()
    assert rig.docker("ps", "-aq", "--filter", f"name={name}") == ""


def test_an_image_that_was_built_anew_under_its_name(rig: Rig) -> None:
    alias = f"{rig.images['good']}-alias"
    rig.docker("tag", rig.images["good"], alias)
    try:
        rig.file.write_text(rig.file.read_text().replace(rig.images["good"], alias))
        rig.resolve("adopt")
        rig.docker("tag", rig.images["next"], alias)
        assert [line.split(": ", 1)[1] for line in rig.lines()] == [
            f"image {alias.replace(rig.images['good'], 'GOOD')} was pulled or built anew since"
        ] * 2
        rig.resolve("undo")
        assert rig.clean()
    finally:
        rig.docker("image", "rm", "-f", alias)
