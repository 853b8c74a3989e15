"""Services of files that a stack includes are the stack's: in plans' risks, in hand edits, in verification."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.network_sharers import with_sharers
from homelab_mcp.core.operations.pull import Differing, pull
from homelab_mcp.core.operations.request import SetEnvRequest
from homelab_mcp.core.operations.set_env import set_env
from homelab_mcp.core.operations.set_global_env import set_global_env
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, PlanState, Requester, Risk, Verification
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_changes import propose_remove_service
from tests.unit.workflow.bench_as_lab import BenchAsLab
from tests.unit.workflow.bench_lab import OLD
from tests.unit.workflow.test_included_back import MON, images, lab_with

OPEN = "services:\n  door:\n    image: door:1\n    ports: ['9000:9000']\n"
TAKES = f"include: [../shared/door.yaml]\n{OLD}"


def pulled(lab: BenchAsLab, *differing: Differing) -> Draft:
    stacks = lab.bench.planner.snapshot(containers=False).stacks
    return pull(list(differing), tip="a" * 40, branch="main", commits=1, read=lab.files.read, stacks=stacks)


@pytest.mark.parametrize("there", [None, MON], ids=["new", "there before"])
def test_what_a_newly_included_file_opens_counts_and_compose_judges_it(tmp_path: Path, there: str | None) -> None:
    lab = lab_with(tmp_path, place="notes/mon.yaml")
    if there:
        (lab.bench.root / "shared").mkdir()
        (lab.bench.root / "shared" / "door.yaml").write_text(there)
    draft = pulled(
        lab,
        Differing("media/compose.yaml", 0o100644, OLD, OLD, TAKES),
        Differing("shared/door.yaml", 0o100644, there, there, OPEN),
    )
    plan = lab.bench.plan(draft, approve=False)
    assert "door publishes 9000:9000 on the host." in plan.reasons
    assert plan.risk is Risk.HIGH
    assert lab.bench.compose.judged["shared/door.yaml"] == OPEN
    assert lab.apply(plan).state is PlanState.DONE
    assert images(lab) == {"web": "web:1", "door": "door:1"}


def test_a_file_that_is_included_from_now_on_and_was_there_unchanged_counts_too(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, place="notes/mon.yaml")
    (lab.bench.root / "shared").mkdir()
    (lab.bench.root / "shared" / "door.yaml").write_text(OPEN)
    plan = lab.bench.plan(pulled(lab, Differing("media/compose.yaml", 0o100644, OLD, OLD, TAKES)), approve=False)
    assert plan.risk is Risk.HIGH
    assert "door publishes 9000:9000 on the host." in plan.reasons


MORE = MON + "  extra: {image: 'extra:1'}\n"


def with_extra(folder: Path) -> BenchAsLab:
    lab = lab_with(folder, place="media/mon.yaml")
    (lab.bench.root / "media/mon.yaml").write_text(MORE)
    lab.bench.compose_file.write_text(f"include: [mon.yaml]\n{OLD}")
    lab.bench.compose.up("media", ())
    lab.commit_all()
    return lab


def test_undo_keeps_the_container_that_an_included_file_has_again(tmp_path: Path) -> None:
    lab = with_extra(tmp_path)
    (lab.bench.root / "media/mon.yaml").write_text(MON)
    plan = lab.resolve("media", "undo")
    assert lab.apply(plan).state is PlanState.DONE
    assert (lab.bench.root / "media/mon.yaml").read_text() == MORE
    assert images(lab) == {"web": "web:1", "mon": "mon:1", "extra": "extra:1"}


def test_undo_brings_back_a_container_of_an_included_file(tmp_path: Path) -> None:
    lab = with_extra(tmp_path)
    lab.bench.compose.remove("media", ["extra"])
    assert lab.apply(lab.resolve("media", "undo")).state is PlanState.DONE
    assert images(lab)["extra"] == "extra:1"


def test_adopting_an_included_file_brings_its_containers_up_to_it(tmp_path: Path) -> None:
    lab = with_extra(tmp_path)
    (lab.bench.root / "media/mon.yaml").write_text(MORE.replace("extra:1", "extra:2"))
    plan = lab.resolve("media", "adopt")
    assert plan.draft.verification == Verification("media", ("extra",))
    assert lab.apply(plan).state is PlanState.DONE
    assert images(lab) == {"web": "web:1", "mon": "mon:1", "extra": "extra:2"}


def test_adopting_takes_away_what_was_taken_out_of_an_included_file(tmp_path: Path) -> None:
    lab = with_extra(tmp_path)
    (lab.bench.root / "media/mon.yaml").write_text(MON)
    plan = lab.resolve("media", "adopt")
    assert [(a.kind, a.services) for a in plan.draft.actions] == [(ActionKind.REMOVE_ORPHANS, ("extra",))]
    assert not any("no file ever had this" in note for note in plan.draft.notes)


def test_a_job_of_an_included_file_may_end_when_it_is_verified(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, "media", place="shared/mon.yaml")
    lab.bench.docker.exit_code = 0
    job = (
        "services:\n  mon:\n    image: mon:1\n    depends_on: {job: {condition: service_completed_successfully}}\n"
        "  job: {image: 'exits:1'}\n"
    )
    up = EngineAction(ActionKind.UP, "new", "media", ("job", "mon"))
    draft = Draft(
        "change", "Job", (FileEdit("shared/mon.yaml", MON, job),), (up,), Verification("media", ("job", "mon")),
        target="x",
    )  # fmt: skip
    status = lab.apply(lab.bench.plan(draft, approve=False))
    assert status.state is PlanState.DONE, status
    assert any("job ran to its end" in e.what for e in status.evidence)


USES = "services:\n  mon: {image: 'mon:1', environment: {KEY: '${KEY}'}}\n"
STACK = StackFiles(
    "media", "media/compose.yaml", f"include: [mon.yaml]\n{OLD}", "KEY=a\n", (), (("media/mon.yaml", USES),)
)
INCLUDES = Snapshot((STACK,), None)


def test_a_changed_variable_reaches_services_of_included_files() -> None:
    draft = set_env(INCLUDES, SetEnvRequest(stack="media", values={"KEY": "b"}))
    assert [(a.kind, a.services) for a in draft.actions] == [(ActionKind.UP, ("mon",))]
    assert draft.verification == Verification("media", ("mon",))


def test_a_changed_variable_reaches_what_an_override_file_adds() -> None:
    over = (("media/compose.override.yaml", "services:\n  web: {environment: {KEY: '${KEY}'}}\n"),)
    stack = StackFiles("media", "media/compose.yaml", OLD, "KEY=a\n", over)
    draft = set_env(Snapshot((stack,), None), SetEnvRequest(stack="media", values={"KEY": "b"}))
    assert [(a.kind, a.services) for a in draft.actions] == [(ActionKind.UP, ("web",))]


def test_a_changed_variable_of_the_whole_lab_does_too() -> None:
    stack = INCLUDES.stacks[0]
    lab = Snapshot((StackFiles("media", stack.compose_path, stack.compose_text, "", (), stack.named),), None)
    draft = set_global_env(lab, {"KEY": "b"}, "KEY=a\n")
    assert [(a.kind, a.stack, a.services) for a in draft.actions] == [(ActionKind.UP, "media", ("mon",))]


def test_variables_of_the_whole_lab_are_put_back_with_who_uses_them_in_an_included_file(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, "media", place="mon.yaml")
    (lab.bench.root / "mon.yaml").write_text(MON + "    environment: {ZONE: '${ZONE}'}\n")
    edit = FileEdit("global.env", None, "ZONE='a'\n", 0o600, secret=True)
    plan = lab.bench.plan(Draft("set_env", "Zone", (edit,), (), Verification(), target="global"), approve=False)
    assert lab.apply(plan).state is PlanState.DONE
    back = lab.rollback(plan.id)
    assert [(a.kind, a.stack, a.services) for a in back.draft.actions] == [(ActionKind.UP, "media", ("mon",))]


def test_who_shares_a_network_in_an_included_file_comes_along() -> None:
    shares = (("media/mon.yaml", "services:\n  mon: {image: 'mon:1', network_mode: 'service:web'}\n"),)
    stack = StackFiles("media", "media/compose.yaml", f"include: [mon.yaml]\n{OLD}", "", (), shares)
    up = EngineAction(ActionKind.UP, "new", "media", ("web",))
    draft = with_sharers(Draft("x", "x", (), (up,), Verification("media", ("web",))), [stack])
    assert draft.actions[0].services == ("web", "mon")


def test_adopting_names_the_other_stacks_that_take_the_file(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, "more", place="media/mon.yaml")
    lab.bench.compose_file.write_text(f"include: [mon.yaml]\n{OLD}")
    lab.bench.compose.up("media", ())
    lab.commit_all()
    (lab.bench.root / "media/mon.yaml").write_text(MON.replace("mon:1", "mon:2"))
    notes = lab.resolve("media", "adopt").draft.notes
    assert [n for n in notes if "too:" in n] == [
        "Stack more takes media/mon.yaml too: `homelab-mcp review more` says whether its containers are as it says now."
    ]


def test_the_last_service_stays_where_a_file_named_by_a_variable_brings_others(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, "correct-horse")
    (root / "common").mkdir()
    (root / "common" / "extra.yaml").write_text("services: {db: {image: 'postgres:17.5'}}\n")
    (root / "a").mkdir()
    (root / "a" / ".env").write_text("COMMON=../common\n")
    (root / "a" / "compose.yaml").write_text(
        "include: ['${COMMON}/extra.yaml']\nservices:\n  web: {image: 'nginx:1.29.1'}\n"
    )
    with pytest.raises(InvalidInput) as kept:
        propose_remove_service(open_lab(str(root), files_only=True), "web", "a", Requester("cli"))
    assert kept.value.code == "more_files"


def test_what_an_unseen_or_another_stacks_service_may_use_is_not_thrown_away(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, "correct-horse")
    for folder in ("common", "a/web/data", "b"):
        (root / folder).mkdir(parents=True)
    job = "services: {job: {image: 'nginx:1.29.1', volumes: ['../a/web/data:/data:ro']}}\n"
    web = "services:\n  web: {image: 'nginx:1.29.1', volumes: ['./web/data:/data']}\n  x: {image: 'nginx:1.29.1'}\n"
    (root / "common" / "extra.yaml").write_text(job)
    (root / "a" / ".env").write_text("COMMON=../common\n")
    (root / "a" / "compose.yaml").write_text(f"include: ['${{COMMON}}/extra.yaml']\n{web}")
    with pytest.raises(InvalidInput) as unseen:
        propose_remove_service(open_lab(str(root), files_only=True), "web", "a", Requester("cli"), data="delete")
    assert unseen.value.code == "files_unseen"
    (root / "a" / "compose.yaml").write_text(web)
    (root / "b" / "compose.yaml").write_text(job)
    with pytest.raises(InvalidInput) as mounted:
        propose_remove_service(open_lab(str(root), files_only=True), "web", "a", Requester("cli"), data="delete")
    assert mounted.value.code == "data_shared"
    assert "b/job" in mounted.value.message
