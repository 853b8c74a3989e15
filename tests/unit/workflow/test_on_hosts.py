"""Plans for stacks on other hosts: where they act, and what is refused before anybody is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.model.errors import EngineUnavailable, HomelabError, InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, DataMove, Draft, EngineAction, FileEdit, RouteCheck, Verification
from homelab_mcp.workflow.on_hosts import settled
from homelab_mcp.workflow.plan_checks import check_not_the_guard
from homelab_mcp.workflow.plan_facts import folders_of

COMPOSE = "services:\n  web:\n    image: nginx\n    volumes: ['./web:/data']\n"
NAS = with_host(COMPOSE, "nas")
BACKUP = with_host("services:\n  backup: {image: restic, labels: {homelab.backup: engine}}\n", "nas")


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    (tmp_path / "hosts.yaml").write_text("hosts:\n  nas: {address: 'ssh://nas.lan'}\n")
    return LocalLab(str(tmp_path))


def draft(text: str, before: str | None = None, *more: FileEdit) -> Draft:
    return Draft(
        operation="add_service",
        summary="Add web",
        edits=(FileEdit("media/compose.yaml", before, text), *more),
        actions=(
            EngineAction(ActionKind.CREATE_NETWORK, "joins it", name="front"),
            EngineAction(ActionKind.UP, "start", "media", ("web",)),
        ),
        verification=Verification("media", ("web",), routes=(RouteCheck("web", "web.lab.test", sso=True),)),
        target="web",
    )


def snapshot(text: str = "", **silent: str) -> Snapshot:
    stacks = (StackFiles("media", "media/compose.yaml", text),) if text else ()
    return Snapshot(stacks, "domain: lab.test\n", (), silent=silent)


def refusal(lab: LocalLab, *given: object) -> HomelabError:
    with pytest.raises(HomelabError) as caught:
        settled(lab, *given)  # type: ignore[arg-type]
    return caught.value


def test_a_lab_on_one_machine_gets_its_draft_back(tmp_path: Path) -> None:
    mine = draft(COMPOSE)
    assert settled(LocalLab(str(tmp_path)), mine, snapshot()) is mine


def test_a_network_is_made_on_the_stacks_host_and_the_plan_says_where(lab: LocalLab) -> None:
    found = settled(lab, draft(NAS), snapshot())
    assert [a.name for a in found.actions if a.kind is ActionKind.CREATE_NETWORK] == ["nas/front"]
    assert found.verification == Verification("media", ("web",))
    assert "Stack media is on host nas." in found.notes
    assert any("belong to root there: media/web" in note for note in found.notes)


def test_folders_of_a_stack_elsewhere_are_not_made_here(lab: LocalLab) -> None:
    from dataclasses import dataclass

    @dataclass
    class Made:
        draft: Draft

    assert folders_of(Made(draft(COMPOSE))) == ["media/web"]  # type: ignore[arg-type]
    assert folders_of(Made(settled(lab, draft(NAS), snapshot()))) == []  # type: ignore[arg-type]


def test_a_host_that_nobody_has_is_refused(lab: LocalLab) -> None:
    assert refusal(lab, draft(with_host(COMPOSE, "pi")), snapshot()).code == "host_unknown"


def test_a_stack_does_not_leave_its_containers_behind(lab: LocalLab) -> None:
    assert refusal(lab, draft(NAS, COMPOSE), snapshot(COMPOSE)).code == "other_host"
    assert refusal(lab, draft(COMPOSE, NAS), snapshot(NAS)).code == "other_host"


def test_a_stack_with_a_mistake_in_its_file_is_planned_for_on_its_host(lab: LocalLab) -> None:
    broken = f"{NAS}    ports: [\n"
    found = settled(lab, draft(NAS, broken), snapshot(broken))
    assert [a.name for a in found.actions if a.kind is ActionKind.CREATE_NETWORK] == ["nas/front"]
    assert refusal(lab, draft(COMPOSE, broken), snapshot(broken)).code == "other_host"


def test_what_needs_that_hosts_disk_is_refused(lab: LocalLab) -> None:
    from dataclasses import replace

    file = FileEdit("media/web/config.yml", None, "a: 1\n")
    assert refusal(lab, draft(NAS, None, file), snapshot()).code == "host_files"
    moving = replace(draft(NAS, NAS), moves=(DataMove("media/web", "media/new", "why"),))
    assert refusal(lab, moving, snapshot(NAS)).code == "host_files"
    env = FileEdit("media/.env", None, "A=1\n", secret=True)
    settled(lab, draft(NAS, None, env), snapshot())


def test_a_silent_host_stops_its_own_plans_alone(lab: LocalLab) -> None:
    refused = refusal(lab, draft(NAS), snapshot(nas="Host nas does not answer."))
    assert isinstance(refused, EngineUnavailable)
    assert (refused.code, refused.message) == ("host_silent", "Host nas does not answer.")
    settled(lab, draft(COMPOSE), snapshot(nas="Host nas does not answer."))
    assert refusal(lab, draft(COMPOSE), snapshot(local="Docker is not running.")).code == "host_silent"


@pytest.mark.parametrize("path", ["hosts.yaml", "HOSTS.yaml"])
def test_no_plan_says_which_machines_the_lab_commands(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_not_the_guard(Draft("x", "x", (FileEdit(path, None, "hosts: {}\n"),), ()))
    assert caught.value.code == "hosts_protected"


def test_an_included_compose_file_of_a_stack_elsewhere_is_read_here(lab: LocalLab) -> None:
    text = f"{NAS}include: [parts/db.yaml]\n"
    edit = FileEdit("media/parts/db.yaml", None, "services: {db: {image: 'postgres:17'}}\n")
    assert settled(lab, draft(text, NAS, edit), snapshot(NAS)).edits[1] is edit


def test_a_restore_moves_data_on_the_disk_of_a_host_that_makes_backups_and_nothing_else_does(lab: LocalLab) -> None:
    side, trash = "backup-nas/restore/1/lab/media/web", ".homelab/trash/20260101-000000-restore-web@nas/media/web"
    swapped = (DataMove("media/web", trash, "kept"), DataMove(side, "media/web", "restored"))
    restore = replace(draft(NAS, NAS), operation="restore_backup", edits=(), moves=swapped)
    seen = replace(
        snapshot(NAS), stacks=(*snapshot(NAS).stacks, StackFiles("backup-nas", "backup-nas/compose.yaml", BACKUP))
    )
    # Nothing there gives way to its disk yet.
    assert refusal(lab, restore, seen).code == "host_files"
    for name, text in (("media", NAS), ("backup-nas", BACKUP)):
        (Path(lab.root) / name).mkdir()
        (Path(lab.root) / name / "compose.yaml").write_text(text)
    assert settled(lab, restore, seen).moves == swapped
    assert settled(lab, replace(restore, operation="rollback"), seen).moves == swapped
    assert refusal(lab, replace(restore, operation="move_service"), seen).code == "host_files"
    for source, target in ((side, "apps/web"), ("media/web", trash.replace("@nas", "")), ("apps/web", "media/web")):
        between = replace(restore, moves=(DataMove(source, target, "why"),))
        assert refusal(lab, between, seen).code == "host_files", (source, target)
