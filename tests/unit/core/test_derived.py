"""Derived files: what follows from the lab comes along with every plan, and is made anew by a roll-back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.operations.rollback import rollback
from homelab_mcp.model.observed import ContainerState, Snapshot
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Plan,
    Requester,
    Risk,
    Verification,
)
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.workflow.derive import with_derived
from homelab_mcp.workflow.init_lab import init_lab

COMPOSE = "services:\n  {name}:\n    image: nginx:1.27\n"


def names(lab: LabAfter) -> Iterator[DerivedFile]:
    """A derivation of the tests' own: the names of all services in one file, which portal/gate reads at its start."""
    text = "\n".join(s.where for s in lab.view.services) + "\n"
    yield DerivedFile("portal/names.txt", text, "The list of names follows.", restart=(("portal", "gate"),))


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    found = open_lab(str(tmp_path), files_only=True)
    init_lab(found, {"domain": "lab.test"}, "27182818")
    found.files.write_atomic("portal/compose.yaml", COMPOSE.format(name="gate"), 0o644)
    return open_lab(str(tmp_path), files_only=True)


def snapshot(lab: LocalLab) -> Snapshot:
    return Snapshot(read_stacks(lab.files), lab.files.read("homelab.yaml"))


def adding(stack: str, name: str, *actions: EngineAction) -> Draft:
    edit = FileEdit(f"{stack}/compose.yaml", None, COMPOSE.format(name=name))
    return Draft("add_service", f"Add {name}", (edit,), actions, Verification(stack, (name,)))


def test_a_derived_file_sees_the_lab_as_the_draft_leaves_it(lab: LocalLab) -> None:
    up = EngineAction(ActionKind.UP, "start", "web", ("page",))
    draft = with_derived(lab, adding("web", "page", up), snapshot(lab), (names,))
    derived = draft.edits[-1]
    assert (derived.path, derived.before, derived.derived) == ("portal/names.txt", None, True)
    assert derived.after == "portal/gate\nweb/page\n"
    restart = draft.actions[-1]
    assert (restart.kind, restart.stack, restart.services) == (ActionKind.RESTART, "portal", ("gate",))
    assert draft.verifications == (Verification("web", ("page",)), Verification("portal", ("gate",)))
    assert draft.notes == ("The list of names follows.",)


def test_what_the_draft_recreates_is_not_restarted_as_well(lab: LocalLab) -> None:
    up = EngineAction(ActionKind.UP, "start", "portal", ("gate",))
    draft = with_derived(lab, adding("web", "page", up), snapshot(lab), (names,))
    assert [a.kind for a in draft.actions] == [ActionKind.UP]


def test_only_what_runs_is_restarted_and_then_by_a_plan_of_files_too(lab: LocalLab) -> None:
    gate = ContainerState("1", "gate", "nginx:1.27", "running", stack="portal", service="gate")
    files = Draft("external", "Files", (FileEdit("web/compose.yaml", None, COMPOSE.format(name="page")),), ())
    up = EngineAction(ActionKind.UP, "start", "web", ("page",))
    for draft in (files, adding("web", "page", up)):
        running = with_derived(lab, draft, replace(snapshot(lab), containers=(gate,)), (names,))
        assert [a.services for a in running.actions if a.kind is ActionKind.RESTART] == [("gate",)]
        down = (replace(gate, state="exited"),)
        stopped = with_derived(lab, draft, replace(snapshot(lab), containers=down), (names,))
        assert [a for a in stopped.actions if a.kind is ActionKind.RESTART] == []
        assert stopped.also_verify == ()
    assert with_derived(lab, files, snapshot(lab), (names,)).actions == ()


def test_nothing_comes_along_when_the_file_is_right_already(lab: LocalLab) -> None:
    lab.files.write_atomic("portal/names.txt", "portal/gate\nweb/page\n", 0o644)
    draft = adding("web", "page")
    assert with_derived(lab, draft, snapshot(lab), (names,)) == draft


def test_a_person_s_own_edit_is_not_planned_over(lab: LocalLab) -> None:
    draft = Draft("adopt", "Adopt", (), ())
    assert with_derived(lab, draft, snapshot(lab), (names,)) is draft


def test_a_roll_back_leaves_derived_files_to_the_derivation() -> None:
    edits = (FileEdit("web/compose.yaml", None, "new"), FileEdit("portal/names.txt", "old", "new", derived=True))
    plan = Plan("1" * 32, Draft("add_service", "Add", edits, ()), Risk.LOW, (), (), {}, Requester("cli"), 0.0, 1.0)
    back = rollback(plan, {"web/compose.yaml": (None, 0o644), "portal/names.txt": ("old", 0o644)}, read=lambda _: "new")
    assert [e.path for e in back.edits] == ["web/compose.yaml"]


def test_a_backups_list_knows_the_lab_by_the_name_of_a_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "tank").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "tank")
    made = open_lab(str(tmp_path / "link"), files_only=True)
    init_lab(made, {"domain": "lab.test"}, "27182818")
    engine = "services:\n  restic:\n    image: r\n    labels: {homelab.backup: engine}\n"
    app = f"services:\n  app:\n    image: a\n    volumes: ['{tmp_path}/link/media/app:/data']\n"
    for path, text in (("backup/compose.yaml", engine), ("backup/backup.yaml", "repository: /mnt/backup\n")):
        made.files.write_atomic(path, text, 0o644)
    made.files.write_atomic("media/compose.yaml", app, 0o644)
    draft = with_derived(made, adding("web", "page"), snapshot(made))
    (jobs,) = [e.after or "" for e in draft.edits if e.path == "backup/engine/jobs.sh"]
    assert "owner media/app media app\n" in jobs
