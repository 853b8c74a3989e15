"""Data that a plan moves: an apply that dies at any named point leaves it, after a recovery, in exactly one place."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.core import plan_codec
from homelab_mcp.model.errors import JournalUnwritable, PlanRefused, StorageFailed
from homelab_mcp.model.plan import (
    ActionKind,
    DataMove,
    Draft,
    EngineAction,
    FileEdit,
    OwnerChange,
    Plan,
    PlanState,
    Verification,
)
from homelab_mcp.workflow import data_steps
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.plan_view import data_lines
from homelab_mcp.workflow.verifier import Verifier
from tests.failpoints import Points
from tests.unit.workflow.bench_lab import BenchLab

PAGES = {"media/web/pages/1": b"one", "media/web/pages/2": b"two"}


class Died(BaseException):
    """Stands for a kill: nothing catches it, so nothing is put back."""


def pointed(lab: BenchLab, at: Callable[[str], None]) -> Applier:
    """The lab's applier with a point before and after every step."""
    points = Points(at)
    docker = points.behind("engine", lab.docker)
    parts = {part: points.behind(part, getattr(lab, part)) for part in ("files", "history", "journal", "plans", "data")}
    return Applier(
        **parts,
        approver=lab.approver,
        lock=lab.lock,
        clock=lab.clock,
        engine=docker,
        compose=points.behind("compose", lab.compose),
        verifier=Verifier(engine=docker, probe=lab.probe, clock=lab.clock),
    )


def moving_draft(lab: BenchLab, image: str = "web:1") -> Draft:
    """Moves ``web`` with its pages to a stack of its own; the second folder is empty."""
    for path, content in PAGES.items():
        (lab.root / path).parent.mkdir(parents=True, exist_ok=True)
        (lab.root / path).write_bytes(content)
    (lab.root / "media/web/empty").mkdir(exist_ok=True)
    old = lab.compose_file.read_text()
    new = f"services:\n  web:\n    image: {image}\n    volumes: ['./web/pages:/pages', './web/empty:/empty']\n"
    return Draft(
        operation="move_service",
        summary="Move web",
        edits=(
            FileEdit("media/compose.yaml", old, "services: {}\n"),
            FileEdit("pages/compose.yaml", None, new),
        ),
        actions=(
            EngineAction(ActionKind.REMOVE, "moves", "media", ("web",)),
            EngineAction(ActionKind.UP, "moved", "pages", ("web",)),
        ),
        verification=Verification("pages", ("web",)),
        moves=(
            DataMove("media/web/pages", "pages/web/pages", "its data"),
            DataMove("media/web/empty", "pages/web/empty", "its data"),
        ),
        target="web",
    )


def everything(root: Path) -> dict[str, bytes | None]:
    """Every file and folder of the lab but our own."""
    return {
        str(p.relative_to(root)): p.read_bytes() if p.is_file() else None
        for p in sorted(root.rglob("*"))
        if not {".git", ".homelab", ".gitignore"} & set(p.relative_to(root).parts)
    }


def points_of(root: Path) -> list[str]:
    lab, seen = BenchLab(root), list[str]()
    assert pointed(lab, seen.append).run(lab.plan(moving_draft(lab)).id).state is PlanState.DONE
    assert (root / "pages/web/pages/1").read_bytes() == b"one"
    assert not (root / "media/web/pages").exists()
    assert sum("data.move" in point for point in seen) == 4
    return seen


def dies(lab: BenchLab, plan: Plan, point: str) -> None:
    """An apply that dies at that point, and the recovery after it."""

    def die(here: str) -> None:
        if here == point:
            raise Died

    with pytest.raises(Died):
        pointed(lab, die).run(plan.id)
    lab.clock.wall += 3600
    lab.recovery.recover()


@pytest.mark.parametrize("part", range(3))
def test_a_death_at_any_point_leaves_data_in_one_place(tmp_path: Path, part: int) -> None:
    ended: Counter[str] = Counter()
    for number, point in enumerate(points_of(tmp_path / "first")[part::3]):
        lab = BenchLab(tmp_path / str(number))
        draft = moving_draft(lab)
        before = everything(lab.root)
        plan = lab.plan(draft)
        dies(lab, plan, point)
        state = lab.plans.status(plan.id).state
        ended[state] += 1
        if state is PlanState.DONE:
            assert (lab.root / "pages/web/pages/1").read_bytes() == b"one"
            assert not (lab.root / "media/web/pages").exists(), point
        else:
            assert everything(lab.root) == before, point
            assert lab.docker.running().keys() == {"web"}
        assert lab.recovery.recover() == [], point
    assert ended[PlanState.DONE] and ended[PlanState.ROLLED_BACK] > 10, ended


def test_what_does_not_hold_is_moved_back(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    draft = moving_draft(lab, "crash:1")
    before = everything(lab.root)

    status = lab.apply(draft)
    assert status.state is PlanState.ROLLED_BACK
    assert any(e.what == "media/web/pages moved back" for e in status.evidence)
    assert everything(lab.root) == before


def test_data_that_changed_its_place_since_the_plan_makes_it_stale(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(moving_draft(lab))
    (lab.root / "pages/web/pages").mkdir(parents=True)

    with pytest.raises(PlanRefused) as caught:
        lab.applier.run(plan.id)
    assert caught.value.code == "plan_stale"
    assert (lab.root / "media/web/pages/1").read_bytes() == b"one"


def test_a_folder_made_meanwhile_in_the_old_place_is_not_overwritten(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(moving_draft(lab, "crash:1"))

    def squat(here: str) -> None:
        if here == "after compose.up 1":
            (lab.root / "media/web/pages").mkdir()
            (lab.root / "media/web/pages/mine").write_text("by hand")

    status = pointed(lab, squat).run(plan.id)
    assert status.state is PlanState.FAILED
    assert any("is not moved back: it is at pages/web/pages" in e.what for e in status.evidence)
    assert (lab.root / "pages/web/pages/1").read_bytes() == b"one"
    assert (lab.root / "media/web/pages/mine").read_text() == "by hand"


def test_moves_and_owners_are_in_the_digest_and_plans_without_them_keep_theirs(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(moving_draft(lab))

    assert plan_codec.plan_from_json(plan_codec.plan_to_json(plan)) == plan
    assert lab.plans.outline(plan.id).draft.moves == plan.draft.moves
    assert '"moves"' not in plan_codec.plan_to_json(lab.plan(lab.change_draft("web:2")))


def test_owners_are_changed_and_put_back(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    file = lab.root / "media/web/file"
    file.parent.mkdir()
    file.write_text("x")
    change = OwnerChange("media/web/file", 4321, 4322, 0, 0)
    draft = Draft("fix_permissions", "Give", (), (), owners=(change,), target="web")

    if os.getuid() != 0:
        # Only root may give files away; anybody else is told so, and nothing has changed.
        status = lab.apply(draft)
        assert (status.state, status.error_code) == (PlanState.ROLLED_BACK, "storage_failed")
        return
    assert lab.apply(draft).state is PlanState.DONE
    assert (file.stat().st_uid, file.stat().st_gid) == (4321, 4322)
    plan = lab.plan(replace(draft, owners=(OwnerChange("media/web/file", 0, 0, 4321, 4322),)))

    def fail(here: str) -> None:
        if here == "after data.give 1":
            raise JournalUnwritable("The disk is full.")

    assert pointed(lab, fail).run(plan.id).state is PlanState.ROLLED_BACK
    assert (file.stat().st_uid, file.stat().st_gid) == (4321, 4322)


def owned_draft(lab: BenchLab, image: str = "chat:1") -> Draft:
    """Adds ``chat``, whose folders must be another user's; ``old`` is there from before."""
    (lab.root / "chat/chat/old").mkdir(parents=True)
    mounts = "volumes: ['./chat/config:/c', './chat/old:/o']"
    text = f"services:\n  chat:\n    image: {image}\n    labels: {{homelab.owner: '2000:2001'}}\n    {mounts}\n"
    return Draft(
        operation="add_service",
        summary="Add chat",
        edits=(FileEdit("chat/compose.yaml", None, text),),
        actions=(EngineAction(ActionKind.UP, "new", "chat", ("chat",)),),
        verification=Verification("chat", ("chat",)),
        target="chat",
    )


def test_a_folder_that_is_made_is_its_services_from_the_start_and_one_that_is_there_is_left(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    draft = owned_draft(lab)
    assert data_lines(draft) == ["make chat/chat/config, chat/chat/old for 2000:2001, where not there yet"]

    seen = {e.what: e for e in lab.apply(draft).evidence}
    mine = f"{os.getuid()}:{os.getgid()}"
    left = seen[f"chat/chat/old belongs to {mine}, and not to 2000:2001: it was there before and is left so"]
    assert left.ok and left.detail.endswith(f"chown -R 2000:2001 {lab.root}/chat/chat/old, as root.")
    if os.getuid() == 0:
        assert lab.data.owner("chat/chat/config") == (2000, 2001)
        assert seen["chat/chat/config: belongs to 2000:2001"].ok
    assert lab.data.owner("chat/chat/old") == (os.getuid(), os.getgid())


def test_a_folder_that_cannot_be_given_away_is_told_also_when_its_service_fails_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, uid: int, gid: int) -> None:
        raise StorageFailed("Not permitted.")

    lab = BenchLab(tmp_path / "lab")
    monkeypatch.setattr(lab.data, "give", refuse)
    status = lab.apply(owned_draft(lab, "sick:1"))
    assert status.state is PlanState.ROLLED_BACK
    (told,) = [e for e in status.evidence if e.what.endswith("this process may not give it away")]
    assert not told.ok and "chown -R 2000:2001" in told.detail


TRASH = ".homelab/trash/20260101-000000-restore-web"


def swapping_draft(lab: BenchLab) -> Draft:
    """Puts restored pages in the place of those that are there, which are kept."""
    for path, content in (("media/web/pages/1", b"old"), ("media/side/pages/1", b"new")):
        (lab.root / path).parent.mkdir(parents=True, exist_ok=True)
        (lab.root / path).write_bytes(content)
    return Draft(
        operation="restore_backup",
        summary="Restore web",
        edits=(),
        actions=(
            EngineAction(ActionKind.REMOVE, "swapped", "media", ("web",)),
            EngineAction(ActionKind.UP, "runs", "media", ("web",)),
        ),
        verification=Verification("media", ("web",)),
        moves=(
            DataMove("media/web/pages", f"{TRASH}/pages", "kept"),
            DataMove("media/side/pages", "media/web/pages", "restored"),
        ),
        target="web",
    )


def test_a_death_at_any_point_of_a_swap_leaves_the_old_or_the_new_data_whole(tmp_path: Path) -> None:
    first, seen = BenchLab(tmp_path / "first"), list[str]()
    assert pointed(first, seen.append).run(first.plan(swapping_draft(first)).id).state is PlanState.DONE
    assert (first.root / "media/web/pages/1").read_bytes() == b"new"
    assert (first.root / TRASH / "pages/1").read_bytes() == b"old"
    ended: Counter[str] = Counter()
    # Around the moves themselves, and every sixth of the other points.
    for number, point in enumerate(p for n, p in enumerate(seen) if "data." in p or "compose." in p or n % 6 == 0):
        lab = BenchLab(tmp_path / str(number))
        draft = swapping_draft(lab)
        before = everything(lab.root)

        def die(here: str, point: str = point) -> None:
            if here == point:
                raise Died

        plan = lab.plan(draft)
        with pytest.raises(Died):
            pointed(lab, die).run(plan.id)
        lab.clock.wall += 3600
        lab.recovery.recover()
        state = lab.plans.status(plan.id).state
        ended[state] += 1
        if state is PlanState.DONE:
            assert (lab.root / "media/web/pages/1").read_bytes() == b"new"
        else:
            assert everything(lab.root) == before, point
        assert lab.docker.running().keys() == {"web"}, point
    assert ended[PlanState.DONE] and ended[PlanState.ROLLED_BACK] > 8, ended


def nested_draft(lab: BenchLab, *moves: tuple[str, str]) -> Draft:
    """Swaps a folder, and a part of it by itself."""
    for path, content in (
        ("media/web/cfg", "now"),
        ("media/web/up/pic", "now"),
        ("media/side/web/cfg", "old"),
        ("media/side/web/up/pic", "old"),
        ("media/side/up/pic", "old"),
    ):
        (lab.root / path).parent.mkdir(parents=True, exist_ok=True)
        (lab.root / path).write_text(content)
    return replace(swapping_draft(lab), moves=tuple(DataMove(source, target, "swapped") for source, target in moves))


NESTED = (
    ("media/web", f"{TRASH}/web"),
    ("media/side/web", "media/web"),
    ("media/web/up", f"{TRASH}/web/up"),
    ("media/side/up", "media/web/up"),
)


@pytest.mark.parametrize(
    "moves",
    [
        NESTED,
        # Twice the same, and into what has just moved.
        (*NESTED[:2], ("media/web", f"{TRASH}/again")),
        (NESTED[0], ("media/side/web", f"{TRASH}/web/side")),
        (NESTED[0], ("media/side/up", "media/web/up")),
    ],
)
def test_moves_of_one_place_are_refused_before_anything_is_touched(
    tmp_path: Path, moves: tuple[tuple[str, str], ...]
) -> None:
    lab = BenchLab(tmp_path / "lab")
    draft = nested_draft(lab, *moves)
    before = everything(lab.root)
    with pytest.raises(PlanRefused) as caught:
        data_steps.remember(lab.data, lab.plan(draft))
    assert caught.value.code == "moves_overlap"
    assert everything(lab.root) == before


def test_a_part_may_move_before_the_folder_around_it_and_a_place_that_was_left_be_filled(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    part = (("media/web/up", f"{TRASH}/up"), ("media/side/up", "media/web/up"))
    plan = lab.plan(nested_draft(lab, *part, *NESTED[:2]))
    before = everything(lab.root)
    moves = data_steps.remember(lab.data, plan)
    data_steps.carry_out(lab.data, plan, moves, lambda _: None)
    assert (lab.root / TRASH / "web/up/pic").read_text() == (lab.root / "media/web/up/pic").read_text() == "old"
    assert all(e.ok for e in data_steps.put_back(lab.data, plan, moves))
    assert everything(lab.root) == before


def test_what_came_along_with_a_folder_is_not_put_back_by_itself(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(nested_draft(lab, *NESTED))
    before = everything(lab.root)
    # As an apply began them that did not look for this yet.
    moves = [[s, t, str(lab.data.identity(s))] for s, t in NESTED]
    with pytest.raises(PlanRefused):
        data_steps.carry_out(lab.data, plan, moves, lambda _: None)
    assert all(e.ok for e in data_steps.put_back(lab.data, plan, moves))
    assert everything(lab.root) == before


def database(path: Path, *values: int) -> None:
    """A database as a crash leaves it: its rows are in its log alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f"work-{path.name}")
    db = sqlite3.connect(work)
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t (x)")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
    db.commit()
    for end in ("", "-wal", "-shm"):
        shutil.copy(f"{work}{end}", f"{path}{end}")
    db.close()
    work.unlink()


def rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as db:
        return [row[0] for row in db.execute("SELECT x FROM t")]


def logged(lab: BenchLab) -> Draft:
    database(lab.root / "media/web/a.db", 1, 2, 3)
    database(lab.root / "media/side/a.db", 4, 5)
    # Restored without the file that only those share who use it now.
    (lab.root / "media/side/a.db-shm").unlink()
    draft = swapping_draft(lab)
    moves = (DataMove("media/web/a.db", f"{TRASH}/a.db", "kept"), DataMove("media/side/a.db", "media/web/a.db", "old"))
    return replace(draft, moves=moves)


def test_a_database_takes_its_log_along(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    assert lab.apply(logged(lab)).state is PlanState.DONE
    assert not (lab.root / "media/web/a.db-shm").exists()
    assert rows(lab.root / "media/web/a.db") == [4, 5]
    assert rows(lab.root / TRASH / "a.db") == [1, 2, 3]


@pytest.mark.parametrize("with_log", [False, True])
def test_a_log_that_nobody_takes_along_makes_a_plan_stale_before_anything_is_touched(
    tmp_path: Path, with_log: bool
) -> None:
    lab = BenchLab(tmp_path / "lab")
    database(lab.root / "media/side/store", 4, 5)
    for end in ("-wal", "-shm") if not with_log else ():
        (lab.root / f"media/side/store{end}").unlink()
    # Its head is broken, so nothing says that it is a database, and its log one's.
    for end in ("", "-wal"):
        (lab.root / f"media/web/store{end}").parent.mkdir(exist_ok=True)
        (lab.root / f"media/web/store{end}").write_bytes(bytes(100))
    swap = (
        DataMove("media/web/store", f"{TRASH}/store", "kept"),
        DataMove("media/web/store-wal", f"{TRASH}/store-wal", "kept"),
        DataMove("media/side/store", "media/web/store", "old"),
    )
    draft = swapping_draft(lab)
    before = everything(lab.root)
    with pytest.raises(PlanRefused) as caught:
        data_steps.remember(lab.data, lab.plan(replace(draft, moves=(swap[0], swap[2]))))
    assert (caught.value.code, "store-wal" in caught.value.message) == ("plan_stale", True)
    plan = lab.plan(replace(draft, moves=swap))
    moves = data_steps.remember(lab.data, plan)
    data_steps.carry_out(lab.data, plan, moves, lambda _: None)
    assert (lab.root / TRASH / "store-wal").read_bytes() == bytes(100)
    assert rows(lab.root / "media/web/store") == ([4, 5] if with_log else [])
    (lab.root / "media/web/store-shm").unlink(missing_ok=True)
    if with_log:
        return
    assert all(e.ok for e in data_steps.put_back(lab.data, plan, moves))
    assert everything(lab.root) == before


def test_a_log_that_its_service_took_away_when_it_stopped_is_not_waited_for(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab")
    database(lab.root / "media/side/store", 4, 5)
    (lab.root / "media/web").mkdir(exist_ok=True)
    (lab.root / "media/web/store").write_bytes(b"now")
    (lab.root / "media/web/store-wal").write_bytes(b"log")
    swap = (
        DataMove("media/web/store", f"{TRASH}/store", "kept"),
        DataMove("media/web/store-wal", f"{TRASH}/store-wal", "kept"),
        DataMove("media/side/store", "media/web/store", "old"),
    )
    plan = lab.plan(replace(swapping_draft(lab), moves=swap))
    moves = data_steps.remember(lab.data, plan)
    (lab.root / "media/web/store-wal").unlink()
    data_steps.carry_out(lab.data, plan, moves, lambda _: None)
    assert (lab.root / TRASH / "store").read_bytes() == b"now"
    assert all(e.ok for e in data_steps.put_back(lab.data, plan, moves))
    assert (lab.root / "media/web/store").read_bytes() == b"now"


@pytest.mark.parametrize("since", [False, True])
def test_a_database_comes_back_with_its_log_and_without_that_of_another(tmp_path: Path, since: bool) -> None:
    lab = BenchLab(tmp_path / "lab")
    plan = lab.plan(logged(lab))
    moves = data_steps.remember(lab.data, plan)
    data_steps.carry_out(lab.data, plan, moves, lambda _: None)
    if since:
        # Its service wrote to what was restored, and crashed.
        for end in ("", "-wal", "-shm"):
            (lab.root / f"media/web/a.db{end}").unlink(missing_ok=True)
        database(lab.root / "media/web/other.db", 6)
        for end in ("-wal", "-shm"):
            (lab.root / f"media/web/other.db{end}").rename(lab.root / f"media/web/a.db{end}")
        (lab.root / "media/web/other.db").rename(lab.root / "media/web/a.db")
        moves[1][2] = str(lab.data.identity("media/web/a.db"))
    assert all(e.ok for e in data_steps.put_back(lab.data, plan, moves))
    assert rows(lab.root / "media/web/a.db") == [1, 2, 3]
    assert rows(lab.root / "media/side/a.db") == ([6] if since else [4, 5])


def test_a_death_between_a_database_and_its_log_leaves_them_together(tmp_path: Path) -> None:
    first, seen = BenchLab(tmp_path / "first"), list[str]()
    assert pointed(first, seen.append).run(first.plan(logged(first)).id).state is PlanState.DONE
    at = [p for p in seen if "data." in p]
    assert len(at) == 2 * 5
    for number, point in enumerate(at):
        lab = BenchLab(tmp_path / str(number))
        plan = lab.plan(logged(lab))
        dies(lab, plan, point)
        assert lab.plans.status(plan.id).state is PlanState.ROLLED_BACK
        assert rows(lab.root / "media/web/a.db") == [1, 2, 3], point
        assert rows(lab.root / "media/side/a.db") == [4, 5], point
