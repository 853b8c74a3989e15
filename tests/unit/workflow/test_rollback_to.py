"""The lab, or one stack, as it was at an earlier apply: several taken back at once, by one plan."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Plan, PlanState, Risk, Verification
from tests.unit.workflow.bench_as_lab import BenchAsLab
from tests.unit.workflow.bench_lab import OLD, SECRET, BenchLab


@pytest.fixture
def lab(tmp_path: Path) -> BenchAsLab:
    found = BenchAsLab(BenchLab(tmp_path / "lab", pin=True))
    found.commit_all()
    return found


def done(lab: BenchAsLab, draft: Draft) -> Plan:
    plan = lab.bench.plan(draft, approve=False)
    assert lab.apply(plan).state is PlanState.DONE
    return plan


def change(lab: BenchAsLab, image: str) -> Draft:
    now = lab.bench.compose_file.read_text()
    lines = ["    image: " + image + "\n" if ": web:" in line else line for line in now.splitlines(keepends=True)]
    draft = lab.bench.change_draft(image)
    return replace(draft, summary=f"Web to {image}", edits=(FileEdit("media/compose.yaml", now, "".join(lines)),))


def in_other(lab: BenchAsLab, text: str) -> Draft:
    file = lab.bench.root / "other" / "compose.yaml"
    now = file.read_text() if file.exists() else None
    up = EngineAction(ActionKind.UP, "new", "other", ("x",))
    edits = (FileEdit("other/compose.yaml", now, text),)
    return Draft("change", "Change other", edits, (up,), Verification("other", ("x",)), target="other")


def test_the_lab_goes_back_to_right_after_or_before_any_apply_and_forth_again(lab: BenchAsLab) -> None:
    start = lab.bench.visible()
    first = done(lab, change(lab, "web:2"))
    one = lab.bench.visible()
    done(lab, lab.bench.add_draft())
    last = done(lab, change(lab, "web:3"))
    whole, running = lab.bench.visible(), set(lab.bench.docker.running())
    assert running == {"web", "app"}
    after = lab.rollback(first.id, "after")
    assert "Takes back 2 apply(s) at once." in after.reasons
    assert [n for n in after.draft.notes if n.startswith("Takes back")] == [
        "Takes back: Web to web:3",
        "Takes back: Add app to stack media",
    ]
    told = " ".join(after.draft.notes)
    for word in ("volumes", "media/.env", "does not change with the file", "web:2: a tag may name another image"):
        assert word in told
    assert SECRET not in told
    assert lab.apply(after).state is PlanState.DONE
    assert lab.bench.visible() == one
    assert set(lab.bench.docker.running()) == {"web"}
    assert lab.bench.docker.running()["web"][0] == "web:2"
    before = lab.rollback(first.id, "before")
    assert lab.apply(before).state is PlanState.DONE
    assert lab.bench.visible() == start
    forth = lab.rollback(last.id, "after")
    assert lab.apply(forth).state is PlanState.DONE
    assert lab.bench.visible() == whole
    assert set(lab.bench.docker.running()) == {"web", "app"}
    with pytest.raises(InvalidInput, match="already as it was"):
        lab.rollback(last.id, "after")


def test_one_stack_goes_back_alone(lab: BenchAsLab) -> None:
    first = done(lab, change(lab, "web:2"))
    done(lab, in_other(lab, "services: {x: {image: 'x:1'}}\n"))
    done(lab, change(lab, "web:3"))
    plan = lab.rollback(first.id, "after", "media")
    assert [e.path for e in plan.draft.edits] == ["media/compose.yaml"]
    assert plan.draft.target == "media"
    assert lab.apply(plan).state is PlanState.DONE
    assert "web:2" in lab.bench.compose_file.read_text()
    assert (lab.bench.root / "other" / "compose.yaml").exists()


def test_a_later_hand_edit_is_a_conflict_of_high_risk_and_stays_in_git(lab: BenchAsLab) -> None:
    first = done(lab, change(lab, "web:2"))
    done(lab, change(lab, "web:3"))
    text = lab.bench.compose_file.read_text() + "# mine\n"
    lab.bench.compose_file.write_text(text)
    plan = lab.rollback(first.id, "after")
    assert plan.risk is Risk.HIGH
    assert "media/compose.yaml was changed since by hand, and that change would be lost." in plan.reasons
    assert lab.apply(plan).state is PlanState.DONE
    show = ["git", "-c", "safe.directory=*", "-C", lab.root, "show", "HEAD~1:media/compose.yaml"]
    assert subprocess.run(show, capture_output=True, text=True, check=True).stdout == text


def test_taking_one_back_names_the_later_apply_it_conflicts_with(lab: BenchAsLab) -> None:
    first = done(lab, change(lab, "web:2"))
    done(lab, change(lab, "web:3"))
    plan = lab.rollback(first.id)
    assert plan.risk is Risk.HIGH
    assert any("was changed since by 'Web to web:3'" in r for r in plan.reasons)


def test_what_was_adopted_since_goes_too_and_is_said(lab: BenchAsLab) -> None:
    first = done(lab, change(lab, "web:2"))
    text = lab.bench.compose_file.read_text()
    lab.bench.compose_file.write_text(text.replace("web:2", "web:9"))
    (lab.bench.root / "media" / "mine.yml").write_text("a: 1\n")
    assert lab.apply(lab.resolve("media", "adopt")).state is PlanState.DONE
    plan = lab.rollback(first.id, "after")
    assert plan.risk is Risk.HIGH
    assert any("adopted since" in r for r in plan.reasons)
    assert lab.apply(plan).state is PlanState.DONE
    assert lab.bench.compose_file.read_text() == text
    assert (lab.bench.root / "media" / "mine.yml").exists(), "a file that a person made is not deleted"


def test_applies_whose_record_is_gone_are_put_back_from_git(lab: BenchAsLab) -> None:
    first = done(lab, change(lab, "web:2"))
    text = lab.bench.compose_file.read_text()
    gone = done(lab, change(lab, "web:3"))
    shutil.rmtree(lab.bench.root / ".homelab" / "plans" / gone.id)
    plan = lab.rollback(first.id, "after")
    assert "Put back from git, as the plan's record is gone: Web to web:3" in plan.draft.notes
    assert lab.apply(plan).state is PlanState.DONE
    assert lab.bench.compose_file.read_text() == text


def test_a_plan_that_did_not_hold_is_no_point_in_time(lab: BenchAsLab) -> None:
    plan = lab.bench.plan(lab.bench.change_draft("exit:2"), approve=False)
    assert lab.apply(plan).state is PlanState.ROLLED_BACK
    with pytest.raises(InvalidInput) as caught:
        lab.rollback(plan.id, "after")
    assert caught.value.code == "not_applied"
    with pytest.raises(InvalidInput, match="not a point in time"):
        lab.rollback(plan.id, "sideways")
    assert lab.bench.compose_file.read_text() == OLD
