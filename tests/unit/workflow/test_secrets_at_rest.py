"""Secrets in a lab's folder: every byte that is kept is searched, through plan, apply, roll-back and crash."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from homelab_mcp.adapters.vault import Vault
from homelab_mcp.core.operations.rollback import rollback
from homelab_mcp.core.secret_files import is_secret_file
from homelab_mcp.model.errors import HomelabError, PlanRefused, VaultLocked
from homelab_mcp.model.plan import PlanState
from homelab_mcp.queries.history import history
from tests.kills import killed_after
from tests.unit.workflow.bench_lab import OLD, PIN, SECRET, BenchLab
from tests.unit.workflow.test_hard_cases import BenchedLab, FakeWorker

OLD_SECRET = "0ld-canary-77aa31cd"


@pytest.fixture
def lab(tmp_path: Path) -> BenchLab:
    return canary_lab(tmp_path / "lab")


def canary_lab(root: Path) -> BenchLab:
    made = BenchLab(root)
    made.env_file.write_text(f"TZ=Etc/UTC\nOLD_PASSWORD={OLD_SECRET}\n")
    made.history.ensure()
    return made


def leaks(root: Path, *, temporary: bool = False) -> list[str]:
    """Files that hold a canary, plain or in base64, and may not; every git object is unpacked."""
    forms = [f for s in (SECRET, OLD_SECRET) for f in (s.encode(), base64.b64encode(s.encode())[:-4])]
    found = []
    for path in sorted(root.rglob("*")):
        below = path.relative_to(root).as_posix()
        if not path.is_file() or is_secret_file(below) or (temporary and below.endswith(".homelab-tmp")):
            continue
        if any(form in path.read_bytes() for form in forms):
            found.append(below)
    if (root / ".git").is_dir():
        asked = ["git", "-C", str(root), "cat-file", "--batch-all-objects", "--batch"]
        objects = subprocess.run(asked, capture_output=True, check=True).stdout
        found += ["a git object"] if any(form in objects for form in forms) else []
    return found


def take_back(lab: BenchLab, plan_id: str) -> PlanState:
    lab.clock.wall += 1
    draft = rollback(lab.plans.get(plan_id), lab.plans.load_undo(plan_id), read=lab.files.read)
    made = lab.plan(draft, approve=False)
    if not lab.approver.exists():
        lab.approver.create(PIN)
    lab.approvals.out_of_band(made.id, PIN, who="me", approved=True)
    return lab.applier.run(made.id).state


def test_the_search_finds_what_is_there(lab: BenchLab) -> None:
    (lab.root / "media/notes").write_bytes(b"\0" + base64.b64encode(f"{SECRET}".encode()) + b"\0")
    lab.compose_file.write_text(OLD + f"# {OLD_SECRET}\n")
    lab.history.commit(["media/compose.yaml"], "x")
    lab.compose_file.write_text(OLD)
    assert leaks(lab.root) == ["media/notes", "a git object"]


def test_from_plan_to_roll_back_no_canary_is_kept_outside_env_files(lab: BenchLab) -> None:
    lab.docker.log_line = f"the password is {SECRET} and was {OLD_SECRET}"
    waiting = lab.plan(lab.add_draft(), approve=False)
    assert leaks(lab.root) == []
    for image, state in (("exit:1", PlanState.ROLLED_BACK), ("app:1", PlanState.DONE)):
        lab.clock.wall += 1
        plan = lab.plan(lab.add_draft(image))
        assert leaks(lab.root) == []
        assert lab.applier.run(plan.id).state is state
        assert leaks(lab.root) == []
    assert SECRET in lab.env_file.read_text()
    assert len(lab.snapshots.names()) == 2
    assert take_back(lab, plan.id) is PlanState.DONE
    assert SECRET not in lab.env_file.read_text()
    assert leaks(lab.root) == []
    with pytest.raises(PlanRefused):
        lab.applier.run(waiting.id)
    assert leaks(lab.root) == []
    kept = lab.snapshots.get(lab.snapshots.names()[0])
    assert SECRET.encode() in lab.snapshots.content(kept.name, "media/.env")


@pytest.mark.timeout(120)
def test_killed_anywhere_in_an_apply_no_canary_is_left_where_it_may_not_be(tmp_path: Path) -> None:
    kills = touches = 0
    while True:
        touches += 67
        lab = canary_lab(tmp_path / str(touches))
        plan = lab.plan(lab.add_draft())
        killed = killed_after(touches, lambda lab=lab, plan=plan: lab.applier.run(plan.id))  # type: ignore[misc]
        kills += killed
        assert leaks(lab.root, temporary=True) == [], touches
        again = BenchLab(lab.root)
        again.recovery.recover()
        assert leaks(lab.root) == [], touches
        if not killed:
            break
    assert kills >= 15


def killed_apply(lab: BenchLab) -> str:
    """An apply that died after it wrote files."""
    plan = lab.plan(lab.add_draft())

    def die(verb: str) -> None:
        if verb == "up":
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)

    lab.compose.before = die
    assert killed_after(10**9, lambda: lab.applier.run(plan.id))
    lab.compose.before = lambda verb: None
    return plan.id


def test_a_crash_without_the_key_is_left_as_it_is_and_undone_once_the_key_is_back(lab: BenchLab) -> None:
    before = lab.visible()
    plan_id = killed_apply(lab)
    halfway = lab.visible()
    assert halfway != before
    path = Path(Vault(lab.root).report().path)
    key = path.read_bytes()
    path.unlink()
    for _ in range(2):
        again = BenchLab(lab.root)
        lines = len(again.journal.entries())
        report = again.recovery.recover(retry_failed=True)[0]
        assert (report.plan_id, report.outcome) == (plan_id, PlanState.APPLYING)
        assert str(path) in report.evidence[-1].detail
        assert lab.visible() == halfway
        assert len(again.journal.entries()) == lines, "nothing is called ended"
    with pytest.raises(HomelabError):
        again.plan(again.change_draft("web:2"))
    path.write_bytes(key)
    again = BenchLab(lab.root)
    assert [r.outcome for r in again.recovery.recover()] == [PlanState.ROLLED_BACK]
    assert again.visible() == before
    assert again.recovery.recover() == []


def test_a_crash_is_undone_after_the_key_was_rotated(lab: BenchLab) -> None:
    before = lab.visible()
    killed_apply(lab)
    Vault(lab.root).rotate()
    again = BenchLab(lab.root)
    assert [r.outcome for r in again.recovery.recover()] == [PlanState.ROLLED_BACK]
    assert again.visible() == before


def test_a_key_rotated_while_plans_are_open_keeps_them_good(lab: BenchLab) -> None:
    plan = lab.plan(lab.add_draft())
    for _ in range(3):
        Vault(lab.root).rotate()
    assert lab.plans.get(plan.id) == plan
    assert lab.applier.run(plan.id).state is PlanState.DONE
    Vault(lab.root).rotate()
    assert take_back(lab, plan.id) is PlanState.DONE


def test_without_the_key_history_and_states_are_told_and_the_apply_is_refused_unharmed(lab: BenchLab) -> None:
    done = lab.plan(lab.add_draft())
    lab.applier.run(done.id)
    lab.clock.wall += 1
    waiting = lab.plan(lab.change_draft("web:2"))
    path = Path(Vault(lab.root).report().path)
    key = path.read_bytes()
    path.unlink()
    real = BenchedLab(lab.root, FakeWorker())
    rows = history(real, 10)
    assert [(r["plan_id"], r["state"], r["summary"]) for r in rows] == [(done.id, "done", "Add app to stack media")]
    assert lab.approvals.state(waiting.id).state is PlanState.APPROVED
    files = lab.visible()
    with pytest.raises(VaultLocked):
        lab.applier.run(waiting.id)
    assert lab.visible() == files
    assert not lab.plans.used(waiting.id)
    path.write_bytes(key)
    assert lab.applier.run(waiting.id).state is PlanState.DONE
