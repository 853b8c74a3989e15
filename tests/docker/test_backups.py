"""Backups with real restic: of a PostgreSQL and a SQLite service, destroyed and restored; kills in the middle."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from homelab_mcp.model.plan import PlanState
from homelab_mcp.queries.backup_list import snapshots
from homelab_mcp.queries.backups import report, run_backup, verify_backup
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_backup import propose_configure_backup
from homelab_mcp.workflow.propose_restore import propose_restore_backup
from testbed import LocalImage, Scratch
from testbed.docker_engine import wait_until
from tests.doc_play import played, shell_of
from tests.docker.backup_rig import CLI, KILL, OWNER, PIN, BackupRig

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def rig(
    tmp_path_factory: pytest.TempPathFactory, testbed_run: Scratch, stand_in: Callable[..., LocalImage]
) -> Iterator[BackupRig]:
    """One for all tests here, as it takes PostgreSQL a while to begin; each test leaves the services running."""
    with Scratch() as scratch:
        made = BackupRig(tmp_path_factory.mktemp("backups"), scratch, stand_in)
        yield made
        made.close()


ODD = "what [to] do*?.txt"
"""A name full of signs that restic's filters give a meaning."""


def test_a_backup_is_made_with_progress_and_verified_by_a_trial_restore(rig: BackupRig) -> None:
    assert rig.people() >= 500
    steps: list[str] = []
    done = run_backup(rig.lab, on_step=steps.append)
    assert (done["result"], done["problems"]) == ("ok", []), done
    assert f"dumping {rig.apps}/db" in steps
    assert any("%" in step or "new in" in step for step in steps), steps
    verified = verify_backup(rig.lab, sample=5)
    assert verified["ok"], verified
    assert verified["same"] >= 4


def test_a_destroyed_service_comes_back_with_every_row(rig: BackupRig) -> None:
    before = rig.rows()
    assert rig.people() >= 500
    assert run_backup(rig.lab)["result"] == "ok"

    # Destroyed: the containers, and every byte of their data.
    rig.lab.compose.down(rig.apps)
    for folder in ("wiki", "db"):
        subprocess.run(["rm", "-rf", str(rig.root / rig.apps / folder)], check=True)
    plan = propose_restore_backup(rig.lab, rig.apps, CLI)
    assert "load" in " ".join(a.kind for a in plan.draft.actions)
    status = rig.apply(plan)
    assert status.state is PlanState.DONE, status
    assert rig.rows() == before
    assert rig.pages() == [f"page {n}" for n in range(300)]
    assert (rig.data / "notes.txt").read_text() == "the family's notes\n"
    assert (rig.root / rig.apps / "db/database").stat().st_uid == OWNER[0]
    assert (rig.root / rig.apps / "db/conf/lab.conf").read_text() == "work_mem = 8MB\n"


def test_deleted_files_come_back_alone(rig: BackupRig) -> None:
    (rig.data / ODD).write_text("ask restic\n")
    count = rig.people()
    assert run_backup(rig.lab)["result"] == "ok"
    rig.sql("INSERT INTO people VALUES ('between')")
    for name, text in (("notes.txt", "the family's notes\n"), (ODD, "ask restic\n")):
        (rig.data / name).unlink()
        plan = propose_restore_backup(rig.lab, "", CLI, path=f"{rig.apps}/wiki/data/{name}")
        assert rig.apply(plan).state is PlanState.DONE
        assert (rig.data / name).read_text() == text
    assert rig.people() == count + 1, "all else stays as it is"


def test_a_whole_service_comes_back_and_what_was_there_returns_with_the_roll_back(rig: BackupRig) -> None:
    before, count = rig.rows(), rig.people()
    assert run_backup(rig.lab)["result"] == "ok"
    rig.sql("DELETE FROM people WHERE name = 'p1'")
    plan = propose_restore_backup(rig.lab, f"{rig.apps}/db", CLI)
    assert rig.apply(plan).state is PlanState.DONE
    assert rig.rows() == before
    assert rig.apply(propose_rollback(rig.lab, plan.id, CLI)).state is PlanState.DONE
    # Rows of before the restore: the one that was deleted is gone again.
    wait_until(lambda: rig.people() == count - 1, "the rows of before the restore", within=60, every=1)


@pytest.mark.timeout(480)
def test_the_page_s_commands_put_data_back(rig: BackupRig) -> None:
    assert run_backup(rig.lab)["result"] == "ok"
    newest, count = snapshots(rig.lab)[0], rig.people()
    here = {
        "restore media": f"restore {rig.apps}",
        "apps/wiki/data/a": f"{rig.apps}/wiki/data/notes.txt",
        "1a2b3c4d": newest.id[:8],
    }
    shell, yes = shell_of(rig.root, here), [("Approval PIN", PIN)]
    with played("docs/backups.md", __file__) as play:
        service, stack, file, older = play.lines
        for line in (file, service):
            (rig.data / "notes.txt").unlink()
            (told,) = play.type(shell, line, replies=yes)
            assert told.code == 0, told
            assert (rig.data / "notes.txt").read_text() == "the family's notes\n"
        # Nobody says yes to this one: what it would take is there to be read, and it waits.
        (told,) = play.type(shell, older)
        assert (told.code, "Restore" in told.said) == (3, True), told
        rig.sql("DELETE FROM people WHERE name = 'p2'")
        (told,) = play.type(shell, stack, replies=yes)
        assert told.code == 0, told
    wait_until(lambda: rig.people() == count, "the rows of the backup", within=60, every=1)


def test_a_dump_that_does_not_load_leaves_the_database_as_it_was(rig: BackupRig) -> None:
    count = rig.people()
    assert run_backup(rig.lab)["result"] == "ok"
    rig.sql("INSERT INTO people VALUES ('later')")
    plan = propose_restore_backup(rig.lab, f"{rig.apps}/db", CLI)
    dump = next(a.name for a in plan.draft.actions if a.kind == "load")
    (rig.root / dump).write_text("this is no SQL;\n")
    status = rig.apply(plan)
    assert (status.state, status.error_code) == (PlanState.ROLLED_BACK, "load_failed"), status
    wait_until(lambda: rig.people() == count + 1, "the rows of before", within=60, every=1)


def test_a_backup_killed_in_the_middle_leaves_a_repository_that_checks(rig: BackupRig) -> None:
    (rig.data / "large.bin").write_bytes(os.urandom(120_000_000))
    made = len(snapshots(rig.lab)) if rig.restic("cat", "config").returncode == 0 else 0
    failed: list[Exception] = []

    def back_up() -> None:
        try:
            run_backup(rig.lab)
        except Exception as error:  # noqa: BLE001 - it is killed; how that looks is asked below
            failed.append(error)

    thread = threading.Thread(target=back_up)
    killing = subprocess.Popen(["docker", "exec", rig.backup, "sh", "-c", KILL], stdin=subprocess.DEVNULL)
    thread.start()
    assert killing.wait(timeout=60) == 0, "restic was not seen at work"
    thread.join(timeout=60)
    assert not thread.is_alive()
    time.sleep(0.5)
    checked = rig.restic("check", "--no-lock")
    assert checked.returncode == 0, checked
    assert len(snapshots(rig.lab)) == made
    assert run_backup(rig.lab)["result"] == "ok"
    assert rig.restic("check").returncode == 0
    told = report(rig.lab)
    assert (told.total, told.problems, told.databases) == (made + 1, (), (f"{rig.apps}/db (postgres)",)), told


def test_backups_go_on_in_another_folder_and_back_and_never_into_an_empty_one(rig: BackupRig) -> None:
    assert run_backup(rig.lab)["result"] == "ok"
    # As versions before left it: the name inside, which is the same for every folder.
    (rig.root / rig.backup / "state/repository").write_text("/repository\n")
    other = rig.repository.with_name("other")
    other.mkdir()
    for folder in (other, rig.repository):
        assert rig.apply(propose_configure_backup(rig.lab, {"repository": str(folder)}, CLI)).state is PlanState.DONE
        done = run_backup(rig.lab)
        assert (done["result"], done["problems"]) == ("ok", []), done
    elsewhere = other.rename(other.with_name("elsewhere"))
    other.mkdir()
    assert rig.apply(propose_configure_backup(rig.lab, {"repository": str(other)}, CLI)).state is PlanState.DONE
    done = run_backup(rig.lab)
    assert "it was there before" in str(done["problems"]), done
    assert list(other.iterdir()) == []
    other.rmdir()
    elsewhere.rename(other)
    rig.lab.compose.restart(rig.backup, ())
    assert run_backup(rig.lab)["result"] == "ok"
    back = propose_configure_backup(rig.lab, {"repository": str(rig.repository)}, CLI)
    assert rig.apply(back).state is PlanState.DONE


@pytest.mark.nightly
def test_the_clock_of_the_container_makes_backups_without_this_program(rig: BackupRig) -> None:
    made = len(snapshots(rig.lab)) if rig.restic("cat", "config").returncode == 0 else 0
    plan = propose_configure_backup(rig.lab, {"schedule": "* * * * *"}, CLI)
    assert rig.apply(plan).state is PlanState.DONE
    wait_until(lambda: len(snapshots(rig.lab)) > made, "a backup by the clock", within=130, every=2)
    assert rig.apply(propose_configure_backup(rig.lab, {"schedule": "15 3 * * *"}, CLI)).state is PlanState.DONE
