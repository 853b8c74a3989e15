"""Files that a stack includes from elsewhere are put back with the containers of every stack that takes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.core.operations.pull import Differing, pull
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Plan, PlanState, Verification
from homelab_mcp.workflow.git_sync import propose_pull, push
from tests.unit.workflow.bench_as_lab import BenchAsLab
from tests.unit.workflow.bench_lab import OLD, BenchLab
from tests.unit.workflow.test_git_sync import ME, WEB, Shared, made, shared

__all__ = ["made", "shared"]

MON = "# of all\nservices:\n  mon:\n    image: mon:1\n"
PLACES = ["shared/mon.yaml", "mon.yaml", "media/parts/mon.yaml"]


def lab_with(folder: Path, *stacks: str, place: str) -> BenchAsLab:
    found = BenchAsLab(BenchLab(folder / "lab", pin=True))
    root = found.bench.root
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_text(MON)
    for stack in stacks:
        (root / stack).mkdir(exist_ok=True)
        (root / stack / "compose.yaml").write_text(f"include: [{os.path.relpath(place, stack)}]\n{OLD}")
        found.bench.compose.up(stack, ())
    found.commit_all()
    return found


def changed(lab: BenchAsLab, place: str, stack: str = "media") -> Plan:
    """As ``update_service`` makes it: the included file edited, one stack's service made anew."""
    actions = tuple(EngineAction(kind, "new", stack, ("mon",)) for kind in (ActionKind.PULL, ActionKind.UP))
    edit = FileEdit(place, MON, MON.replace("mon:1", "mon:2"))
    plan = lab.bench.plan(
        Draft("change", "Mon to 2", (edit,), actions, Verification(stack, ("mon",)), target="mon"), approve=False
    )
    assert lab.apply(plan).state is PlanState.DONE
    assert images(lab, stack) == {"web": "web:1", "mon": "mon:2"}
    return plan


def images(lab: BenchAsLab, stack: str = "media") -> dict[str, str]:
    return {c.service: c.image for c in lab.bench.docker.containers_now.values() if c.stack == stack}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("to", ["", "before"])
def test_a_roll_back_of_an_included_file_runs_what_it_says_again(tmp_path: Path, place: str, to: str) -> None:
    lab = lab_with(tmp_path, "media", place=place)
    plan = changed(lab, place)
    back = lab.rollback(plan.id, to)
    assert [(a.kind, a.stack, a.services) for a in back.draft.actions] == [
        (ActionKind.PULL, "media", ("mon",)),
        (ActionKind.UP, "media", ("mon",)),
    ]
    assert back.draft.verification == Verification("media", ("mon",))
    assert any("mon:1: a tag may name another image" in n for n in back.draft.notes)
    assert lab.apply(back).state is PlanState.DONE
    assert (lab.bench.root / place).read_text() == MON
    assert images(lab) == {"web": "web:1", "mon": "mon:1"}


def test_one_stack_alone_leaves_what_is_not_in_its_folder_and_says_so(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, "media", place="shared/mon.yaml")
    plan = changed(lab, "shared/mon.yaml")
    with pytest.raises(InvalidInput, match=r"shared/mon\.yaml of media is not in its folder and stays") as told:
        lab.rollback(plan.id, "before", "media")
    assert told.value.code == "nothing_to_do"


def test_every_stack_that_takes_the_file_follows(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, "media", "more", place="shared/mon.yaml")
    plan = changed(lab, "shared/mon.yaml")
    lab.bench.compose.up("more", ())
    assert images(lab, "more")["mon"] == "mon:2"
    back = lab.rollback(plan.id)
    assert {(a.stack, a.services) for a in back.draft.actions} == {("media", ("mon",)), ("more", ("mon",))}
    assert [v.stack for v in (back.draft.verification, *back.draft.also_verify)] == ["media", "more"]
    assert lab.apply(back).state is PlanState.DONE
    assert [images(lab, s)["mon"] for s in ("media", "more")] == ["mon:1", "mon:1"]


def test_a_service_that_only_the_present_included_file_has_goes(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, "media", place="shared/mon.yaml")
    more = MON + "  extra: {image: 'extra:1'}\n"
    up = EngineAction(ActionKind.UP, "new", "media", ("extra",))
    draft = Draft(
        "change",
        "More",
        (FileEdit("shared/mon.yaml", MON, more),),
        (up,),
        Verification("media", ("extra",)),
        target="x",
    )
    plan = lab.bench.plan(draft, approve=False)
    assert lab.apply(plan).state is PlanState.DONE and "extra" in images(lab)
    back = lab.rollback(plan.id)
    assert [(a.kind, a.services) for a in back.draft.actions] == [(ActionKind.REMOVE, ("extra",))]
    assert lab.apply(back).state is PlanState.DONE
    assert images(lab) == {"web": "web:1", "mon": "mon:1"}


def test_what_was_edited_by_hand_is_taken_back_with_the_other_stack_s_container(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, "more", place="media/compose.yaml")
    assert lab.bench.compose_file.read_text() == MON
    lab.bench.compose.up("media", ())
    lab.commit_all()
    lab.bench.compose_file.write_text(MON.replace("mon:1", "mon:2"))
    for stack in ("media", "more"):
        lab.bench.compose.up(stack, ())
    plan = lab.resolve("media", "undo")
    assert {a.stack for a in plan.draft.actions if a.kind is ActionKind.UP} == {"media", "more"}
    assert lab.apply(plan).state is PlanState.DONE
    assert [images(lab, s)["mon"] for s in ("media", "more")] == ["mon:1", "mon:1"]


def test_a_file_that_no_stack_takes_is_put_back_alone(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, place="notes/mon.yaml")
    edit = FileEdit("notes/mon.yaml", MON, MON.replace("mon:1", "mon:2"))
    plan = lab.bench.plan(Draft("change", "Notes", (edit,), (), Verification(), target="x"), approve=False)
    assert lab.apply(plan).state is PlanState.DONE
    back = lab.rollback(plan.id)
    assert back.draft.actions == ()
    assert lab.apply(back).state is PlanState.DONE


FOLLOWS = [(ActionKind.PULL, "media", ("mon",)), (ActionKind.UP, "media", ("mon",))]


@pytest.mark.parametrize("place", ["shared/mon.yaml", "mon.yaml"])
def test_an_included_file_that_the_repository_changed_is_followed(tmp_path: Path, place: str) -> None:
    lab = lab_with(tmp_path, "media", place=place)
    new = Differing(place, 0o100644, MON, MON, MON.replace("mon:1", "mon:2"))
    stacks = lab.bench.planner.snapshot(containers=False).stacks
    draft = pull([new], tip="a" * 40, branch="main", commits=1, read=lab.files.read, stacks=stacks)
    assert lab.apply(lab.bench.plan(draft, approve=False)).state is PlanState.DONE
    assert images(lab) == {"web": "web:1", "mon": "mon:2"}


def drafted(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a pull comes to, before a lab without Docker takes the actions out."""
    with monkeypatch.context() as patch:
        patch.setattr("homelab_mcp.workflow.git_sync.plan_of", lambda lab, draft, *more: draft)
        return propose_pull(shared.open(), ME)


@pytest.mark.timeout(120)
def test_a_pull_is_told_of_the_lab_s_stacks_and_of_files_that_come_with_it(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.elsewhere("shared/mon.yaml", MON)
    shared.elsewhere("media/compose.yaml", f"include: [../shared/mon.yaml]\n{WEB}")
    assert [(a.kind, a.stack, a.services) for a in drafted(shared, monkeypatch).actions] == FOLLOWS
    shared.apply(propose_pull(shared.open(), ME))
    push(shared.open())
    shared.elsewhere("shared/mon.yaml", MON.replace("mon:1", "mon:2"))
    second = drafted(shared, monkeypatch)
    assert [(a.kind, a.stack, a.services) for a in second.actions] == FOLLOWS
    assert second.verification == Verification("media", ("mon",))


def test_variables_of_the_whole_lab_are_put_back_with_who_uses_them(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, "media", place="mon.yaml")
    text = lab.bench.compose_file.read_text()
    lab.bench.compose_file.write_text(text + "    environment: {ZONE: '${ZONE}'}\n  other: {image: 'other:1'}\n")
    edit = FileEdit("global.env", None, "ZONE='a'\n", 0o600, secret=True)
    plan = lab.bench.plan(Draft("set_env", "Zone", (edit,), (), Verification(), target="global"), approve=False)
    assert lab.apply(plan).state is PlanState.DONE
    back = lab.rollback(plan.id)
    assert [(a.kind, a.stack, a.services) for a in back.draft.actions] == [(ActionKind.UP, "media", ("web",))]
