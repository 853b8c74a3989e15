"""Data changes place only while nobody runs on it: a roll-back stops who does, and no other plan goes past one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.core.operations.data_holders import holders, refuse_held, standing_still
from homelab_mcp.core.project_name import FOLDER_LABEL, ONE_OFF_LABEL, PROJECT_LABEL
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.core.stack_owner import parted
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.observed import ContainerState, Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, DataMove, Draft, EngineAction, Plan, PlanState, Verification
from homelab_mcp.workflow import propose_restore
from tests.unit.workflow.bench_as_lab import CLI, BenchAsLab
from tests.unit.workflow.bench_lab import BenchLab

TRASH = ".homelab/trash/20260101-000000-restore-web"
SIDE = "backup/restore/20260101-000000-abcd/lab/media/web/pages"
COMPOSE = """\
services:
  web:
    image: web:1
    volumes: ['./web/pages:/pages', '{root}/media/web/pages/extra:/extra']
  files:
    image: files:1
    volumes: ['.:/srv']
"""


@pytest.fixture
def lab(tmp_path: Path) -> BenchAsLab:
    bench = BenchLab(tmp_path / "lab", pin=True)
    bench.compose_file.write_text(COMPOSE.replace("{root}", str(bench.root)))
    for path, content in (("media/web/pages/1", b"old"), (f"{SIDE}/1", b"new")):
        (bench.root / path).parent.mkdir(parents=True, exist_ok=True)
        (bench.root / path).write_bytes(content)
    bench.compose.up("media", ())
    found = BenchAsLab(bench)
    found.commit_all()
    return found


def swap() -> Draft:
    services = ("web",)
    return Draft(
        operation="restore_backup",
        summary="Restore web",
        edits=(),
        actions=(
            EngineAction(ActionKind.REMOVE, "swapped", "media", services),
            EngineAction(ActionKind.UP, "runs", "media", services),
        ),
        verification=Verification("media", services),
        moves=(DataMove("media/web/pages", f"{TRASH}/media/web/pages", ""), DataMove(SIDE, "media/web/pages", "")),
        target="web",
    )


def about(plan: Plan) -> list[tuple[ActionKind, str, tuple[str, ...]]]:
    return [(a.kind, a.stack, a.services) for a in plan.draft.actions]


WEB_STANDS_STILL = [(ActionKind.REMOVE, "media", ("web",)), (ActionKind.UP, "media", ("web",))]


def test_each_way_back_over_moved_data_stops_who_runs_on_it(lab: BenchAsLab) -> None:
    page = lab.bench.root / "media/web/pages/1"
    restored = lab.bench.plan(swap(), approve=False)
    assert lab.apply(restored).state is PlanState.DONE
    assert page.read_bytes() == b"new"

    at_once = lab.rollback(restored.id, "before")
    of_one_stack = lab.rollback(restored.id, "before", "media")
    back = lab.rollback(restored.id)
    for plan in (at_once, of_one_stack, back):
        assert about(plan) == WEB_STANDS_STILL
        assert plan.draft.verifications == (Verification("media", ("web",)),)
    assert "Takes back 1 apply(s) at once." in at_once.reasons
    assert lab.apply(back).state is PlanState.DONE
    assert page.read_bytes() == b"old"

    forth = lab.rollback(back.id)
    assert about(forth) == WEB_STANDS_STILL
    assert forth.draft.verification == Verification("media", ("web",))
    assert lab.apply(forth).state is PlanState.DONE
    assert page.read_bytes() == b"new"


def test_who_stood_still_for_an_apply_does_so_when_it_is_taken_back(lab: BenchAsLab) -> None:
    reader = COMPOSE.replace("{root}", lab.root) + "  reader:\n    image: reader:1\n    env_file: ./web/pages/1\n"
    lab.bench.compose_file.write_text(reader)
    lab.bench.compose.up("media", ())
    lab.commit_all()
    both = ("web", "reader")
    actions = tuple(replace(a, services=both) for a in swap().actions)
    plan = lab.bench.plan(replace(swap(), actions=actions), approve=False)
    assert lab.apply(plan).state is PlanState.DONE

    still = [(ActionKind.REMOVE, "media", both), (ActionKind.UP, "media", both)]
    assert about(lab.rollback(plan.id)) == about(lab.rollback(plan.id, "before")) == still
    lab.compose.stop("media", ["reader"])
    assert about(lab.rollback(plan.id)) == WEB_STANDS_STILL


def test_who_ended_over_what_a_restore_brought_is_started_again(lab: BenchAsLab) -> None:
    restored = lab.bench.plan(swap(), approve=False)
    assert lab.apply(restored).state is PlanState.DONE
    # As a container that ends by itself: no plan stopped it.
    lab.compose.stop("media", ["web"])
    back = lab.rollback(restored.id)
    for plan in (back, lab.rollback(restored.id, "before")):
        assert about(plan) == WEB_STANDS_STILL
        assert plan.draft.verifications == (Verification("media", ("web",)),)
        assert "media/web ended since and is started on the data that is there then." in plan.draft.notes

    draft = Draft(
        "control_service", "Stop web", (), (EngineAction(ActionKind.STOP, "meant", "media", ("web",)),), target="web"
    )
    assert lab.apply(lab.bench.plan(draft, approve=False)).state is PlanState.DONE
    assert about(lab.rollback(restored.id)) == about(lab.rollback(restored.id, "before")) == []

    started = (EngineAction(ActionKind.START, "again", "media", ("web",)),)
    assert lab.apply(lab.bench.plan(replace(draft, actions=started), approve=False)).state is PlanState.DONE
    lab.compose.stop("media", ["web"])
    assert about(lab.rollback(restored.id)) == WEB_STANDS_STILL
    sleeping = lab.bench.compose_file.read_text().replace(
        "image: web:1", "image: web:1\n    labels: ['sablier.enable=true']"
    )
    lab.bench.compose_file.write_text(sleeping)
    assert about(lab.rollback(restored.id)) == []


def test_no_plan_moves_data_from_under_a_running_container(lab: BenchAsLab) -> None:
    careless = replace(swap(), actions=(EngineAction(ActionKind.RESTART, "after", "media", ("web",)),))
    with pytest.raises(InvalidInput) as caught:
        lab.bench.plan(careless, approve=False)
    assert caught.value.code == "data_in_use"
    assert "media/web runs on files" in caught.value.message

    lab.compose.stop("media", ["web"])
    assert lab.bench.plan(careless, approve=False).draft.moves


def test_other_stacks_count_where_they_mount_what_moves_and_no_more() -> None:
    def stack(name: str, *mounts: str) -> StackFiles:
        volumes = "".join(f"    volumes: ['{m}:/x']\n" for m in mounts)
        return StackFiles(name, f"{name}/compose.yaml", f"services:\n  app:\n    image: x\n{volumes}")

    engine = "services:\n  restic:\n    image: r\n    labels: {homelab.backup: engine}\n    volumes: ['./restore:/r']\n"
    stacks = (
        stack("tv", "../media/web/pages"),
        stack("part", "../media/web/pages/one"),
        stack("around", "../media/web"),
        StackFiles("backup", "backup/compose.yaml", engine),
    )
    assert set(holders(swap(), Snapshot(stacks, None))) == {"tv", "part"}
    assert holders(replace(swap(), moves=()), Snapshot(stacks, None)) == {}


def running(name: str, *mounts: str, stack: str = "", service: str = "", **more: Any) -> ContainerState:
    return ContainerState(name, name, "x:1", "running", stack=stack, service=service, mounts=mounts, **more)


def once(name: str, *mounts: str, stack: str = "media", service: str = "web", **more: Any) -> ContainerState:
    """As ``docker compose run`` makes it."""
    labels = {PROJECT_LABEL: stack, ONE_OFF_LABEL: "True"}
    return running(name, *mounts, stack=stack, service=service, labels=labels, **more)


HOLD = (
    once("media-web-run-1", "/lab/media/web/pages"),
    once("in", "/lab/media/web/pages/one"),
    once("around", "/lab/media/web"),
    once("by_a_link", "/home/me/lab/media/web/pages/"),
    once("of_another_stack", "/lab/media/web", stack="tv"),
    once("by_a_volume", "media_pages"),
    running("nobodys", "/lab/media/web/pages"),
    running("renamed", "/lab/media/web/pages", stack="media", service="old"),
    running("projects_elsewhere", "/lab/media/web/pages", stack="mine", service="web"),
    running("own_reader", "/lab/media/web/pages", stack="media", service="old", only_read=("/lab/media/web/pages",)),
    once("once_reader", "/lab/media/web/pages", stack="tv", only_read=("/lab/media/web/pages",)),
    running("reads_and_writes", "/lab/media/web/pages", "media_pages", only_read=("/lab/media/web/pages",)),
)
LOOK_ON = (
    once("server", "/lab", "/var/run/docker.sock"),
    once("whole_machine", "/"),
    once("whole_disk", "/lab/.."),
    once("whole_stack", "/lab/media"),
    once("beside", "/lab/media/web/pages2", "/elsewhere/lab/media/web/pages", "pages"),
    once("backup", "/lab", "/lab/backup/restore", stack="backup", service="restic"),
    running("node-exporter", "/", "/sys", "/lab"),
    running("its_service", "/lab/media/web/pages", stack="media", service="web"),
    running("browser", "/lab/media/web", stack="tv", service="app"),
    running("backrest", "/lab/media/web"),
    running("reader", "/lab/media/web/pages/log", only_read=("/lab/media/web/pages/log",)),
    running("logs", "/lab/media/web/pages", stack="mine", service="logs", only_read=("/lab/media/web/pages",)),
    running("promtail", "/lab/media/web/pages", stack="logs", service="promtail", only_read=("/lab/media/web/pages",)),
    once("there", "/lab/media/web/pages", host="nas"),
    replace(once("ended", "/lab/media/web/pages"), state="exited"),
)
STACKS = (
    StackFiles(
        "media",
        "media/compose.yaml",
        "services:\n  web:\n    image: w\n    volumes: ['pages:/p']\n"
        "volumes: {pages: {driver_opts: {type: none, o: bind, device: /lab/media/web/pages}}}\n",
    ),
    StackFiles("tv", "tv/compose.yaml", "services:\n  app:\n    image: x\n    volumes: ['../media/web:/x']\n"),
    StackFiles(
        "logs",
        "logs/compose.yaml",
        "services:\n  promtail:\n    image: p\n    volumes: ['../media/web/pages:/x:ro']\n",
    ),
    StackFiles(
        "backup",
        "backup/compose.yaml",
        "services:\n  restic:\n    image: r\n    labels: {homelab.backup: engine}\n"
        "    volumes: ['..:/lab', './restore:/r']\n",
    ),
)


def seen(*containers: ContainerState, stacks: tuple[StackFiles, ...] = STACKS) -> Snapshot:
    mine, others = parted(containers)
    return Snapshot(stacks, None, mine, besides=others)


@pytest.mark.parametrize("one", HOLD, ids=lambda c: c.name)
def test_whoever_docker_says_holds_what_moves_is_in_the_way_of_it(one: ContainerState) -> None:
    with pytest.raises(InvalidInput) as caught:
        refuse_held(swap(), seen(one), root=("/lab", "/home/me/lab"))
    assert caught.value.code == "data_in_use"
    assert f"container {one.name} runs on files" in caught.value.message


@pytest.mark.parametrize("one", LOOK_ON, ids=lambda c: c.name)
def test_who_looks_on_or_is_removed_is_not(one: ContainerState) -> None:
    refuse_held(swap(), seen(one), root=("/lab", "/home/me/lab"))


def test_a_service_that_has_the_mounts_of_another_is_known_and_stands_still() -> None:
    text = "services:\n  web:\n    image: w\n    volumes: ['./web/pages:/p']\n"
    text += "  job:\n    image: j\n    volumes_from: [web]\n"
    stacks = (StackFiles("media", "media/compose.yaml", text),)
    both = [running(n, "/lab/media/web/pages", stack="media", service=n) for n in ("web", "job")]

    with pytest.raises(InvalidInput) as caught:
        refuse_held(swap(), seen(*both, stacks=stacks), root="/lab")
    assert caught.value.message.startswith("media/job runs on files")
    still = standing_still(replace(swap(), actions=()), seen(*both, stacks=stacks), [], root="/lab")
    assert [(a.kind, set(a.services)) for a in still.actions] == [
        (ActionKind.REMOVE, {"web", "job"}),
        (ActionKind.UP, {"web", "job"}),
    ]


@pytest.mark.parametrize(
    ("name", "env"), [('name: "home-${ENV}"\n', "ENV=prod\n"), ("", "COMPOSE_PROJECT_NAME=home-prod\n")]
)
@pytest.mark.parametrize("root", ["/lab", ("/srv/lab", "/lab/")])
def test_a_stack_whose_project_its_file_does_not_tell_is_known_by_its_folder(
    name: str, env: str, root: str | tuple[str, ...]
) -> None:
    text = f"{name}services:\n  web:\n    image: w\n    volumes: ['./web/pages:/p']\n"
    stacks = (StackFiles("media", "media/compose.yaml", text, env_text=env),)
    labels = {PROJECT_LABEL: "home-prod", FOLDER_LABEL: "/lab/media"}
    web = running("home-prod-web-1", "/lab/media/web/pages", stack="home-prod", service="web", labels=labels)
    refuse_held(swap(), seen(web, stacks=stacks), root=root)

    with pytest.raises(InvalidInput) as caught:
        refuse_held(replace(swap(), actions=()), seen(web, stacks=stacks), root=root)
    assert caught.value.message.startswith("media/web runs on files")
    still = standing_still(replace(swap(), actions=()), seen(web, stacks=stacks), [], root=root)
    assert [(a.kind, a.stack, a.services) for a in still.actions] == WEB_STANDS_STILL
    # Compose would not find it by what the file says: no plan takes it away.
    told = (replace(stacks[0], compose_text=text.removeprefix(name), env_text=""),)
    with pytest.raises(InvalidInput):
        refuse_held(swap(), seen(web, stacks=told), root=root)


def test_a_plan_looks_at_every_container(lab: BenchAsLab) -> None:
    held = once("media-web-run-1", f"{lab.root}/media/web/pages")
    lab.bench.docker.besides_now.append(held)
    with pytest.raises(InvalidInput) as caught:
        lab.bench.plan(swap(), approve=False)
    assert caught.value.code == "data_in_use"
    assert lab.bench.planner.snapshot(containers=True).besides == (held,)

    lab.bench.docker.besides_now[:] = [replace(held, state="exited")]
    assert lab.bench.plan(swap(), approve=False).draft.moves


def test_a_restore_is_refused_before_anything_is_restored(lab: BenchAsLab, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = "services:\n  restic:\n    image: r:1\n    labels: {homelab.backup: engine}\n"
    for path, text in (("backup/compose.yaml", engine), ("backup/backup.yaml", "repository: /mnt/backup\n")):
        (lab.bench.root / path).write_text(text)
    asked: list[str] = []

    def chosen(_seen: object, backup: str) -> tuple[str, str]:
        asked.append(backup)
        raise NotFound("None.", code="no_backup")

    monkeypatch.setattr(propose_restore, "_chosen", chosen)
    monkeypatch.setattr(propose_restore, "listing", lambda _lab, _host: None)
    monkeypatch.setattr(lab, "catalog", None, raising=False)

    def refused() -> str:
        with pytest.raises(HomelabError) as caught:
            propose_restore.propose_restore_backup(lab, "media/web", CLI)  # type: ignore[arg-type] # as bench_as_lab
        return caught.value.code

    lab.bench.docker.besides_now.append(once("media-web-run-1", f"{lab.root}/media/web/pages"))
    assert (refused(), asked) == ("data_in_use", [])
    lab.bench.docker.besides_now.clear()
    assert (refused(), asked) == ("no_backup", ["latest"])


APART = """\
services:
  jellyfin:
    image: j:1
    volumes: ['./jellyfin/config:/config', './data:/data']
  db:
    image: postgres:17
    volumes: ['./db:/var/lib/postgresql/data']
"""


@pytest.mark.parametrize(
    ("settings", "target", "path", "code"),
    [
        # The chosen backup may hold but the settings, on which nobody else runs.
        ("", "media/jellyfin", "", "no_backup"),
        ("", "media", "", "no_backup"),
        ("", "media", "media/data", "data_in_use"),
        ("exclude: ['media/data']\n", "media", "media/data", "no_backup"),
        ("exclude: ['media/data/*']\n", "media", "media/data", "no_backup"),
        ("exclude: ['media/data/films/*']\n", "media", "media/data", "no_backup"),
        ("skip: [media/jellyfin]\n", "media", "media/data", "no_backup"),
        # Whether a database is put away is told by its dump.
        ("", "media/db", "", "no_backup"),
    ],
)
def test_a_restore_is_refused_at_once_only_for_what_it_would_move_for_sure(
    lab: BenchAsLab, monkeypatch: pytest.MonkeyPatch, settings: str, target: str, path: str, code: str
) -> None:
    engine = "services:\n  restic:\n    image: r:1\n    labels: {homelab.backup: engine}\n"
    tv = "services:\n  sonarr:\n    image: s:1\n    volumes: ['../media/data:/data']\n"
    for name, text in (
        ("media/compose.yaml", APART),
        ("media/jellyfin/config/x", "x"),
        ("media/data/x", "x"),
        ("media/db/x", "x"),
        ("tv/compose.yaml", tv),
        ("backup/compose.yaml", engine),
        ("backup/backup.yaml", f"repository: /mnt/backup\n{settings}"),
    ):
        (lab.bench.root / name).parent.mkdir(parents=True, exist_ok=True)
        (lab.bench.root / name).write_text(text)
    lab.bench.compose.up("tv", ())
    lab.bench.docker.besides_now.append(running("psql", f"{lab.root}/media/db"))

    def chosen(_seen: object, _backup: str) -> tuple[str, str]:
        raise NotFound("None.", code="no_backup")

    monkeypatch.setattr(propose_restore, "_chosen", chosen)
    monkeypatch.setattr(propose_restore, "listing", lambda _lab, _host: None)
    monkeypatch.setattr(lab, "catalog", None, raising=False)
    with pytest.raises(HomelabError) as caught:
        propose_restore.propose_restore_backup(lab, target, CLI, path=path)  # type: ignore[arg-type] # as bench_as_lab
    assert caught.value.code == code


def test_who_holds_data_on_another_host_is_looked_for_there(tmp_path: Path) -> None:
    """The same path of another machine is another folder, whoever has it open."""
    root = str(tmp_path)
    text = "services:\n  web:\n    image: web:1\n    volumes: ['./web/pages:/pages']\n"
    look = "services:\n  files:\n    image: files:1\n    volumes: ['" + root + ":/srv']\n"

    def stack(name: str, host: str, compose: str) -> StackFiles:
        return StackFiles(name, f"{name}/compose.yaml", with_host(compose, host))

    def container(name: str, project: str, host: str, *mounts: str) -> ContainerState:
        return ContainerState(name, name, "image", "running", stack=project, service=name, host=host, mounts=mounts)

    side = "backup-nas/restore/20260101-000000-abcd/lab/media/web/pages"
    draft = replace(swap(), actions=(), moves=(DataMove(side, "media/web/pages", ""),))
    backup = "services:\n  backup: {image: restic, labels: {homelab.backup: engine}, volumes: ['./restore:/restore']}\n"
    stacks = (
        stack("media", "nas", text),
        stack("backup-nas", "nas", backup),
        stack("here", "local", look),
        stack("there", "nas", look),
    )
    pages, restore = f"{root}/media/web/pages", f"{root}/backup-nas/restore"
    seen = (
        container("web", "media", "nas", pages),
        container("backup", "backup-nas", "nas", restore, root),
        container("files", "there", "nas", root),
        container("hand", "nas:hand", "nas", pages),
        container("files", "here", "", root),
        container("mine", "", "", pages),
    )
    snapshot = Snapshot(stacks, "domain: lab.test\n", seen)
    assert holders(draft, snapshot, root=root) == {"media": ("web",)}
    with pytest.raises(InvalidInput) as caught:
        refuse_held(draft, snapshot, root=root)
    assert "media/web" in caught.value.message and "container hand" in caught.value.message
    assert "mine" not in caught.value.message
    still = standing_still(draft, snapshot, [], root=root)
    assert [(a.kind, a.stack, a.services) for a in still.actions] == WEB_STANDS_STILL
    refuse_held(replace(draft, actions=swap().actions), replace(snapshot, containers=(*seen[:3], *seen[4:])), root=root)
    # And of this machine's data nobody on that host knows.
    mine = replace(draft, moves=(DataMove("backup/restore/1/lab/local/db", "local/db", ""),))
    refuse_held(mine, replace(snapshot, containers=(container("db", "nas:db", "nas", f"{root}/local/db"),)), root=root)
