"""The container that makes backups on another host: when plans make it anew, and how it and its stack go again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core.brought_files import FILES_LABEL, files_mark
from homelab_mcp.core.operations.configure_backup import configure_backup
from homelab_mcp.model.errors import EngineUnavailable, InvalidInput
from homelab_mcp.model.observed import ContainerState, Snapshot
from homelab_mcp.model.plan import ActionKind, DataMove, Draft, EngineAction, FileEdit, Risk
from homelab_mcp.queries.backup_place import backup_place
from homelab_mcp.queries.backups import report
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.backup_ends import with_ended_backups
from homelab_mcp.workflow.change_hosts import removed, write_hosts
from homelab_mcp.workflow.derive import with_derived
from homelab_mcp.workflow.proposals import propose_set_env
from homelab_mcp.workflow.propose_backup import propose_configure_backup
from homelab_mcp.workflow.propose_changes import propose_remove_service
from tests.unit.workflow.test_backup_hosts import ASKER, apply, edits
from tests.unit.workflow.test_backup_hosts import lab as lab

pytestmark = pytest.mark.unit

OVERRIDE = "backup-nas/compose.override.yml"
FAR = "x-homelab: {host: nas}\nservices:\n  db: {image: 'postgres:17', volumes: ['./data:/var/lib/postgresql/data']}\n"


@pytest.fixture
def nas(lab: LocalLab) -> LocalLab:
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/disk"}, ASKER, host="nas"))
    return lab


def container(mark: str = "", state: str = "running") -> ContainerState:
    labels = {"homelab.backup": "engine", **({FILES_LABEL: mark} if mark else {})}
    return ContainerState(
        "c1", "backup-nas", "i", state, stack="backup-nas", service="backup-nas", labels=labels, host="nas"
    )


def seen(lab: LocalLab, *containers: ContainerState, silent: str = "") -> Snapshot:
    plain = planner(lab).snapshot(containers=False)
    return replace(plain, containers=containers, silent={silent: f"Host {silent} does not answer."} if silent else {})


def draft(lab: LocalLab, *actions: EngineAction, moves: tuple[DataMove, ...] = (), more: str = "") -> Draft:
    """Gives a stack on the host another service, where ``more`` says one."""
    edit = FileEdit("far/compose.yaml", FAR, FAR + more)
    return Draft("test", "Test", (edit,) if more else (), actions, moves=moves, target="far")


MORE = "  more: {image: 'mariadb:11', volumes: ['./more:/var/lib/mysql']}\n"
UP = EngineAction(ActionKind.UP, "new", "far", ("more",))


def ups(found: Draft) -> list[str]:
    return [a.stack for a in found.actions if a.kind is ActionKind.UP]


def mark(lab: LocalLab) -> str:
    return files_mark(lab.files.read(OVERRIDE))


def told(found: Draft) -> str:
    return " ".join(n for n in found.notes if "backup of nas" in n or "made anew" in n)


def test_a_container_there_is_made_anew_for_its_files_and_not_for_what_it_has(nas: LocalLab) -> None:
    now = container(mark(nas))
    found = with_derived(nas, draft(nas, UP, more=MORE), seen(nas, now))
    assert ups(found) == ["far", "backup-nas"]
    assert told(found) == "What the backup of nas reads follows; its container is made anew for that."
    same = with_derived(nas, draft(nas, UP), seen(nas, now))
    assert (ups(same), same.edits) == (["far"], ())


@pytest.mark.parametrize("old", ["", "sha256-0123456789abcdef"])
def test_one_that_missed_its_files_gets_them_by_the_next_plan(nas: LocalLab, old: str) -> None:
    found = with_derived(nas, draft(nas, UP), seen(nas, container(old)))
    assert ups(found) == ["far", "backup-nas"]
    assert told(found) == "backup-nas is made anew: it missed files that an earlier plan wrote for it."
    assert {v.stack for v in found.also_verify} == {"backup-nas"}


@pytest.mark.parametrize(
    ("containers", "silent", "why"),
    [
        ((), "nas", "nas does not answer, so a later plan makes its container anew"),
        ((container("sha256-0", "exited"),), "", "its container does not run"),
        ((), "", "its container does not run"),
    ],
)
def test_what_cannot_be_made_anew_now_is_told_so(
    nas: LocalLab, containers: tuple[ContainerState, ...], silent: str, why: str
) -> None:
    local = EngineAction(ActionKind.UP, "new", "here", ("db",))
    found = with_derived(nas, draft(nas, local, more=MORE), seen(nas, *containers, silent=silent))
    assert OVERRIDE in {e.path for e in found.edits}
    assert ups(found) == ["here"]
    assert why in told(found) and "for that" not in told(found)


def test_one_that_a_plan_stops_stays_down(nas: LocalLab) -> None:
    stop = EngineAction(ActionKind.STOP, "asked", "backup-nas", ("backup-nas",))
    assert ups(with_derived(nas, draft(nas, stop), seen(nas, container("sha256-0")))) == []


@pytest.mark.parametrize("more", ["", MORE])
def test_it_is_not_made_anew_by_a_plan_that_moves_data_by_it(nas: LocalLab, more: str) -> None:
    moves = (DataMove("far/data", ".homelab/trash/20260101-000000-x@nas/far/data", "kept"),)
    found = with_derived(nas, draft(nas, UP, moves=moves, more=more), seen(nas, container("sha256-0")))
    assert ups(found) == ["far"]
    assert ("moves data of nas by its container" in told(found)) == bool(more)


def test_a_change_of_its_settings_makes_it_anew_as_they_come_with_its_container(nas: LocalLab) -> None:
    config = backup_place(nas, "nas").config
    found = configure_backup(
        seen(nas, container(mark(nas))),
        nas.settings,
        config.model_copy(update={"schedule": "1 2 * * *"}),
        "backup-nas",
        find=nas.catalog.get,
        secrets=nas.secrets.make,
        read=nas.files.read,
        root=nas.root,
        place="nas",
    )
    assert [e.path for e in found.edits] == ["backup-nas/backup.yaml"]
    assert [a.kind for a in found.actions] == [ActionKind.PULL, ActionKind.UP], "a restart would not bring them"


def test_it_is_removed_with_its_files_and_its_host_after_it(nas: LocalLab) -> None:
    plan = propose_remove_service(nas, "backup-nas", "backup-nas", ASKER)
    assert edits(plan)[OVERRIDE].after is None and edits(plan)["backup-nas/compose.yaml"].after is None
    assert "follows" not in " ".join(plan.draft.notes)
    apply(nas, plan)
    assert not (Path(nas.root) / OVERRIDE).exists()
    apply(nas, propose_remove_service(nas, "db", "far", ASKER))
    write_hosts(nas, removed(nas, "nas"))
    again = LocalLab(nas.root, files_only=True)
    assert "nas" not in again.hosts.settings.hosts
    propose_set_env(again, "here", {"COLOUR": "red"}, ASKER)


def test_an_override_file_of_somebody_else_keeps_its_compose_file(nas: LocalLab) -> None:
    path = Path(nas.root) / OVERRIDE
    path.write_text("services: {backup-nas: {mem_limit: 1g}}\n")
    snapshot = seen(nas)
    gone = FileEdit("backup-nas/compose.yaml", nas.files.read("backup-nas/compose.yaml"), None)
    found = with_derived(nas, Draft("test", "Test", (gone,), ()), snapshot)
    assert [e.path for e in found.edits] == ["backup-nas/compose.yaml"]


def test_a_host_that_was_taken_out_by_hand_holds_no_plan_up(nas: LocalLab) -> None:
    path = Path(nas.root) / "hosts.yaml"
    data = json.loads(path.read_text())
    del data["hosts"]["nas"]
    path.write_text(json.dumps(data))
    # What would be written for it is another text by now.
    (Path(nas.root) / OVERRIDE).write_text((Path(nas.root) / OVERRIDE).read_text() + "# older\n")
    plan = propose_configure_backup(LocalLab(nas.root, files_only=True), {"repository": "/mnt/backup"}, ASKER)
    assert OVERRIDE not in edits(plan)


def test_no_plan_warns_of_the_file_that_it_writes_itself(nas: LocalLab) -> None:
    plan = propose_configure_backup(nas, {"repository": "/mnt/other"}, ASKER, host="nas")
    assert "backup-nas/compose.yaml" in edits(plan)
    assert not [n for n in plan.draft.notes if "speaks of" in n]


@pytest.mark.parametrize("stack", ["far", "free"])
def test_a_stack_of_others_there_is_left_alone(lab: LocalLab, stack: str) -> None:
    root = Path(lab.root)
    if stack == "free":
        # Its services are gone, and a person's file is not.
        (root / "free").mkdir()
        (root / "free/compose.override.yaml").write_text("services: {}\n")
    with pytest.raises(InvalidInput) as refused:
        propose_configure_backup(lab, {"repository": "/mnt/disk"}, ASKER, host="nas", stack=stack)
    assert refused.value.code == "stack_in_use"
    assert ("db" if stack == "far" else "free/compose.override.yaml") in refused.value.message


class Status:
    """A container whose script tells that."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    def read(self, words: list[str], *, seconds: float) -> str:
        if words != ["status"]:
            return "[]"
        if not self.lines:
            raise EngineUnavailable("Host nas does not answer.", code="host_silent", hint="Look.")
        return "\n".join(self.lines)


OK = json.dumps({"result": "ok", "started": 1, "ended": 4_000_000_000, "snapshot": "a", "problems": []})


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    box = SimpleNamespace(lines=())
    monkeypatch.setattr(LocalLab, "restic_at", lambda self, host: Status(*box.lines))
    yield box


def test_a_report_tells_of_a_run_that_was_killed_and_of_files_that_are_missed(nas: LocalLab, says: Any) -> None:
    says.lines = (OK, OK, f"FILES {mark(nas)}", "CHECKED 1 2 0", "SAME x")
    good = report(nas, host="nas")
    assert (good.problems, good.last_check and good.last_check["ok"]) == ((), True)
    says.lines = (OK, OK, "BROKE 1767225600", f"FILES {mark(nas)}")
    assert [p.partition(",")[0] for p in report(nas, host="nas").problems] == [
        "The run of 2026-01-01T00:00:00Z was ended before it was done"
    ]
    for lines in ((OK, OK, "FILES sha256-0123456789abcdef"), (OK, OK)):
        says.lines = lines
        (problem,) = report(nas, host="nas").problems
        assert problem.startswith("Its container was made before its files changed")
        assert "the next plan" in problem


def test_a_script_of_a_version_before_on_this_machine_is_no_problem(nas: LocalLab, says: Any) -> None:
    apply(nas, propose_configure_backup(nas, {"repository": "/mnt/backup"}, ASKER))
    says.lines = (OK, OK)
    assert report(nas).problems == ()


@pytest.mark.parametrize(
    ("lines", "kind", "risk"),
    [
        (("null", "null", "WORKS backup"), ActionKind.UP, True),
        (("null", "null", "WORKS backup"), ActionKind.REMOVE, True),
        (("null", "null", "WORKS check"), ActionKind.UP, False),
        ((), ActionKind.UP, False),
    ],
)
def test_a_plan_tells_of_a_backup_that_it_ends(
    nas: LocalLab, says: Any, lines: tuple[str, ...], kind: ActionKind, risk: bool
) -> None:
    says.lines = lines
    anew = EngineAction(kind, "anew", "backup-nas", ("backup-nas",))
    there = LocalLab(nas.root)
    found = with_ended_backups(there, draft(nas, anew), seen(nas, container()))
    assert [r.risk for r in found.risks] == ([Risk.MEDIUM] if risk else [])
    assert not risk or "at work on nas and ends without one" in found.risks[0].reason
    # Nobody is asked for a plan that leaves it alone.
    assert with_ended_backups(there, draft(nas, UP), seen(nas, container())).risks == ()
