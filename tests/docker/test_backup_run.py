"""Backups that a model asks for, by a real client and real restic: made by an approved plan, checked by a read."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.queries.backup_list import snapshots
from homelab_mcp.queries.backups import report, run_backup
from homelab_mcp.server import Offer, build
from homelab_mcp.tools import backup as backup_tools
from homelab_mcp.workflow.assembly import approvals
from testbed import LocalImage, Scratch
from testbed.docker_engine import wait_until
from tests.docker.backup_rig import KILL, PIN, BackupRig
from tests.e2e.server import LabOnDisk, call, connected, data, types_the_name, words

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def rig(
    tmp_path_factory: pytest.TempPathFactory, testbed_run: Scratch, stand_in: Callable[..., LocalImage]
) -> Iterator[BackupRig]:
    """One for all tests here, with a first backup made."""
    with Scratch() as scratch:
        made = BackupRig(tmp_path_factory.mktemp("backup-run"), scratch, stand_in)
        assert run_backup(made.lab)["result"] == "ok"
        yield made
        made.close()


class Heard:
    """Takes the progress of a call."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.lines.append(message or "")


def files_of(rig: BackupRig) -> dict[str, bytes]:
    """The lab's files but for what the backup's container and this program keep for themselves."""
    own = (".git", ".homelab", f"{rig.backup}/state", f"{rig.apps}/db/database")
    paths = (p for p in sorted(rig.root.rglob("*")) if p.is_file() and not p.is_symlink())
    named = ((str(p.relative_to(rig.root)), p) for p in paths)
    return {name: p.read_bytes() for name, p in named if not name.startswith(own)}


def worker_of(plan_id: str) -> int:
    """The process that applies the plan."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"homelab_mcp.worker" in line and plan_id.encode() in line:
                return int(folder.name)
    raise AssertionError(f"nobody applies {plan_id}")


async def test_a_plan_that_a_person_approves_makes_one_and_nothing_else_does(rig: BackupRig) -> None:
    lab = LabOnDisk(rig.root)
    made, before = len(snapshots(rig.lab)), files_of(rig)
    async with connected(lab) as client:
        plan = data(await call(client, "run_backup"))
        assert (plan["state"], plan["risk"], plan["diff"]) == ("pending", "medium", "")
        assert any(f"make a backup in {rig.backup}" in line for line in plan["actions"]), plan["actions"]
        assert any(f"{rig.apps}/db (postgres)" in line for line in plan["notes"]), plan["notes"]
        assert any("lets go of old backups" in line for line in plan["reasons"]), plan["reasons"]
        refused = await call(client, "apply_plan", plan_id=plan["plan_id"])
        assert refused.is_error and "plan_not_approved" in words(refused)
    assert (len(snapshots(rig.lab)), files_of(rig)) == (made, before), "nobody has said yes"

    heard = Heard()
    async with connected(lab, answer=types_the_name) as client:
        done = data(await client.call_tool("apply_plan", {"plan_id": plan["plan_id"]}, progress_callback=heard))
        assert done["state"] == "done", done
        # A step that is over sooner than the next look is not told.
        assert any("dumping" in line or "copying" in line for line in heard.lines), heard.lines
        newest = snapshots(rig.lab)[0]
        seen = " ".join(e["what"] for e in done["evidence"])
        assert newest.id in seen and " new in " in seen and f"{rig.apps}/db was dumped" in seen, seen
        assert len(snapshots(rig.lab)) == made + 1
        told = data(await call(client, "backups"))
        assert told["last"]["snapshot"] == newest.id and told["problems"] == [], told
        again = data(await call(client, "apply_plan", plan_id=plan["plan_id"]))
        assert again["state"] == "done"
    assert len(snapshots(rig.lab)) == made + 1, "a plan is applied once"
    assert {k: v for k, v in files_of(rig).items() if "/dumps/" not in k} == {
        k: v for k, v in before.items() if "/dumps/" not in k
    }


async def test_a_check_is_a_read_that_restores_aside_and_leaves_nothing(rig: BackupRig) -> None:
    lab, before = LabOnDisk(rig.root), files_of(rig)
    heard = Heard()
    async with connected(lab) as client:
        plans = data(await call(client, "history"))
        told = data(await client.call_tool("backups", {"verify": 5}, progress_callback=heard))
        assert told["problems"] == [] and told["at_work"] == "", told
        assert told["last_check"]["ok"] and told["last_check"]["same"] >= 4, told
        assert any("checking the repository" in line for line in heard.lines), heard.lines
        assert any("comparing" in line for line in heard.lines), heard.lines
        assert data(await call(client, "history")) == plans, "no plan is made for it"
    assert files_of(rig) == before
    assert not (rig.root / rig.backup / "restore/verify").exists()


async def test_a_repository_that_lost_a_part_is_found_out_and_told_until_it_is_well(rig: BackupRig) -> None:
    pack = max((p for p in (rig.repository / "data").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    aside = rig.repository.parent / "pack"
    async with connected(LabOnDisk(rig.root)) as client:
        pack.rename(aside)
        try:
            told = data(await call(client, "backups", verify=2))
        finally:
            aside.rename(pack)
        assert not told["last_check"]["ok"], told
        assert any("check did not pass" in p for p in told["problems"]), told["problems"]
        assert data(await call(client, "backups"))["problems"] == told["problems"]
        assert data(await call(client, "backups", verify=2))["problems"] == []


async def test_a_long_check_goes_on_without_its_call_and_keeps_no_run_from_being_made(
    rig: BackupRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_tools, "CHECK_SECONDS", 0.3)
    # Restic's own check, held in the middle with its lock taken.
    hold = (
        "restic check --read-data >/dev/null 2>&1 & p=$!; "
        'until ls "$RESTIC_REPOSITORY"/locks/* >/dev/null 2>&1; do :; done; kill -STOP $p; '
        "exec 7>/state/checking; flock -n 7 || exit 3; echo held; sleep 6; kill -CONT $p; wait $p"
    )
    held = subprocess.Popen(
        ["docker", "exec", rig.backup, "sh", "-c", hold], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    assert held.stdout is not None and held.stdout.readline() == "held\n"
    told = report(rig.lab)
    assert (told.at_work, told.problems) == ("check", ()), "a list of backups needs no lock"
    steps: list[str] = []
    assert run_backup(rig.lab, on_step=steps.append)["result"] == "ok"
    assert any("waiting until the check" in s for s in steps), steps
    held.communicate(timeout=30)
    assert held.returncode == 0

    async with Client(build(open_lab(str(rig.root)), offer=Offer(("all",)))) as client:
        told_now = data(await call(client, "backups", verify=50))
        assert told_now["at_work"] == "check", told_now
        monkeypatch.setattr(backup_tools, "CHECK_SECONDS", 60)
        wait_until(lambda: report(rig.lab).at_work == "", "the check", within=100, every=1)
        told_then: dict[str, Any] = data(await call(client, "backups"))
        assert told_then["last_check"]["ok"], told_then
        assert told_then["last_check"] != told_now.get("last_check")
        busy = subprocess.Popen(
            ["docker", "exec", rig.backup, "sh", "-c", "exec 7>/state/checking; flock 7; echo held; sleep 6"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert busy.stdout is not None and busy.stdout.readline() == "held\n"
        twice = await call(client, "backups", verify=1)
        assert twice.is_error and "backup_at_work" in words(twice), words(twice)
        busy.communicate(timeout=30)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to end"])
async def test_an_apply_that_ends_in_the_middle_leaves_the_run_to_end_by_itself(
    rig: BackupRig, by: signal.Signals
) -> None:
    (rig.data / "large.bin").write_bytes(os.urandom(150_000_000))
    made, before = len(snapshots(rig.lab)), files_of(rig)
    lab = LabOnDisk(rig.root)
    async with connected(lab) as client:
        plan_id = data(await call(client, "run_backup"))["plan_id"]
        approvals(rig.lab).out_of_band(plan_id, PIN, who="test", approved=True)
        rig.lab.worker.start(plan_id)
        wait_until(lambda: "backup: " in rig.lab.plans.status(plan_id).step, "the backup at work", within=60)
        os.kill(worker_of(plan_id), by)
        wait_until(lambda: report(rig.lab).at_work == "", "the run's own end", within=100, every=1)
        ended = data(await call(client, "apply_plan", plan_id=plan_id))
        for _ in range(60):
            if ended["state"] not in ("applying", "queued"):
                break
            time.sleep(1)
            ended = data(await call(client, "apply_plan", plan_id=plan_id))
        assert ended["state"] == "rolled_back", ended
        assert "nothing of the lab was changed" in ended["next"]
        assert len(snapshots(rig.lab)) == made + 1, "the run that was left alone is whole"
        assert data(await call(client, "backups"))["problems"] == []
    assert {k: v for k, v in files_of(rig).items() if "/dumps/" not in k} == {
        k: v for k, v in before.items() if "/dumps/" not in k
    }
    assert rig.restic("check").returncode == 0


async def test_a_run_killed_in_the_middle_is_told_and_the_next_plan_makes_one(rig: BackupRig) -> None:
    (rig.data / "large.bin").write_bytes(os.urandom(150_000_000))
    made = len(snapshots(rig.lab))
    async with connected(LabOnDisk(rig.root), answer=types_the_name) as client:
        plan_id = data(await call(client, "run_backup"))["plan_id"]
        killing = subprocess.Popen(["docker", "exec", rig.backup, "sh", "-c", KILL], stdin=subprocess.DEVNULL)
        failed = data(await call(client, "apply_plan", plan_id=plan_id))
        assert killing.wait(timeout=60) == 0, "restic was not seen at work"
        assert (failed["state"], failed.get("commit")) == ("rolled_back", None), failed
        assert rig.restic("check", "--no-lock").returncode == 0
        assert len(snapshots(rig.lab)) == made
        plan_id = data(await call(client, "run_backup"))["plan_id"]
        assert data(await call(client, "apply_plan", plan_id=plan_id))["state"] == "done"
    assert len(snapshots(rig.lab)) == made + 1
    assert rig.restic("check").returncode == 0


async def test_a_check_killed_in_the_middle_leaves_nothing_once_its_container_is_back(rig: BackupRig) -> None:
    side = rig.root / rig.backup / "restore/verify"
    side.mkdir()
    (side / "left").write_text("of a check that was killed\n")
    rig.lab.compose.restart(rig.backup, ())
    wait_until(lambda: not side.exists(), "the side folder to go", within=30)
    async with connected(LabOnDisk(rig.root)) as client:
        assert data(await call(client, "backups", verify=2))["last_check"]["ok"]


async def test_a_dump_that_fails_makes_no_whole_backup_and_says_so(rig: BackupRig) -> None:
    rig.lab.compose.stop(rig.apps, ("db",))
    try:
        async with connected(LabOnDisk(rig.root), answer=types_the_name) as client:
            plan_id = data(await call(client, "run_backup"))["plan_id"]
            ended = data(await call(client, "apply_plan", plan_id=plan_id))
            assert ended["state"] == "rolled_back", ended
            assert "incomplete" in str(ended["evidence"]) and f"{rig.apps}/db does not run" in str(ended["evidence"])
    finally:
        rig.lab.compose.start(rig.apps, ("db",))
    wait_until(lambda: rig.sql("SELECT 1") == "1", "PostgreSQL", within=100, every=1)
    assert run_backup(rig.lab)["result"] == "ok"
