"""Roll-backs of moves that lie in one another: nothing half-way, and nothing that the apply could not carry out."""

from __future__ import annotations

from contextlib import suppress
from itertools import product

import pytest

from homelab_mcp.core.operations.moves_back import MovesBack, moves_back
from homelab_mcp.core.operations.rollback import rollback
from homelab_mcp.core.operations.rollback_to import Step, rollback_to
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import DataMove, Draft, Plan, Requester, Risk
from homelab_mcp.workflow.data_steps import remember

T = ".homelab/trash/"
NEW = f"{T}rb"
SIDE = "backup/restore/"


class Disk:
    """Files by name; a move that a real disk would not make fails the test."""

    def __init__(self, *files: str) -> None:
        self.files = dict.fromkeys(files)
        self.now = {f: f for f in files}

    def exists(self, path: str) -> bool:
        return any(f == path or f.startswith(f"{path}/") for f in self.now)

    def identity(self, path: str) -> str | None:
        return path if self.exists(path) else None

    def is_database(self, path: str) -> bool:
        return False

    def logs(self, path: str) -> list[str]:
        return []

    def move(self, source: str, target: str) -> None:
        assert self.exists(source), source
        assert not self.exists(target), target
        mine = {f: w for f, w in self.now.items() if f == source or f.startswith(f"{source}/")}
        self.now = {f: w for f, w in self.now.items() if f not in mine}
        self.now |= {f"{target}{f.removeprefix(source)}": w for f, w in mine.items()}

    def drop(self, under: str) -> None:
        self.now = {f: w for f, w in self.now.items() if not f.startswith(under)}

    def did(self, *plans: Plan) -> list[Plan]:
        for plan in plans:
            for move in plan.draft.moves:
                self.move(move.source, move.target)
        return list(plans)

    def back(self, plans: list[Plan], later: list[Plan] | None = None) -> MovesBack:
        """Plans the way back, and makes its moves as an apply does, which looks at all of them before the first."""
        found = moves_back(plans, self.exists, trash=NEW, later=later or [])
        if found.moves:
            back = _plan("rollback", *((m.source, m.target) for m in found.moves))
            assert len(remember(self, back)) == len(found.moves)  # type: ignore[arg-type] # what it asks for
        for move in found.moves:
            self.move(move.source, move.target)
        return found


def _plan(operation: str, *moves: tuple[str, str]) -> Plan:
    draft = Draft(operation, f"{operation} {moves[-1][1]}", (), (), moves=tuple(DataMove(a, b, "") for a, b in moves))
    return Plan("p" * 32, draft, Risk.HIGH, (), (), {}, Requester("cli"), 0, 1)


def _restore(path: str, number: int) -> Plan:
    swap = ((path, f"{T}{number}/{path}"), (f"{SIDE}{number}/lab/{path}", path))
    return _plan("restore_backup", *swap)


def _move(source: str, target: str) -> Plan:
    return _plan("move_service", (source, target))


def test_good_data_is_not_put_away_for_what_lay_between() -> None:
    disk = Disk("a/x/data/old", f"{SIDE}2/lab/a/x/data/good")
    removed = disk.did(_plan("remove_service", ("a/x", f"{T}1/a/x")))
    disk.now["a/x/data/fresh"] = "fresh"
    plans = [*removed, *disk.did(_restore("a/x/data", 2))]

    back = disk.back(plans)
    assert back.moves == ()
    assert "What is in a/x/data now stays there" in " ".join(back.stuck)
    assert "The data that was in a/x stays at" in back.stuck[0]
    assert "roll back 'restore_backup a/x/data' by itself" in back.stuck[-1]


@pytest.mark.parametrize("last", [_move("a/x", "b/x"), _plan("remove_service", ("a/x", f"{T}2/a/x"))])
def test_a_service_that_went_after_a_restore_comes_back_with_the_data_it_has(last: Plan) -> None:
    disk = Disk("a/x/data/old", "a/x/conf/c", f"{SIDE}1/lab/a/x/data/new")
    restored = _restore("a/x/data", 1)

    back = disk.back(disk.did(restored, last))
    assert [m.target for m in back.moves] == ["a/x"]
    assert {"a/x/data/new", "a/x/conf/c", f"{T}1/a/x/data/old"} == set(disk.now)
    assert f"'{last.draft.summary}' moved what lies in it or around it. Roll that back by itself" in back.stuck[0]

    alone = disk.back([restored], [last, _plan("rollback", *((m.source, m.target) for m in back.moves))])
    assert len(alone.moves) == 2
    assert "a/x/data/old" in disk.now


@pytest.mark.parametrize(("first", "second"), [("a/x/data/f", "a/x/data"), ("a/x/data", "a/x/data/f")])
def test_restores_that_lie_in_one_another_go_back_one_by_one(first: str, second: str) -> None:
    side = (f"{SIDE}{n}/lab/a/x/data/{f}" for n in (1, 2) for f in ("f", "g"))
    disk = Disk("a/x/data/f", "a/x/data/g", *side)
    disk.drop(f"{SIDE}{1 if first.endswith('f') else 2}/lab/a/x/data/g")
    plans = disk.did(_restore(first, 1), _restore(second, 2))

    at_once = disk.back(plans)
    assert at_once.moves == ()
    assert f"'restore_backup {second}' moved what lies in it or around it" in at_once.stuck[0]

    last = disk.back([plans[1]])
    taken = _plan("rollback", *((m.source, m.target) for m in last.moves))
    disk.now = {f.replace(NEW, f"{T}older"): w for f, w in disk.now.items()}
    assert disk.back([plans[0]], [plans[1], taken]).moves
    assert {f: w for f, w in disk.now.items() if f.startswith("a/")} == {f"a/x/data/{f}": f"a/x/data/{f}" for f in "fg"}


def test_what_was_restored_after_a_move_goes_back_with_it() -> None:
    disk = Disk("a/x/data/old", f"{SIDE}1/lab/b/x/data/new")
    assert disk.back(disk.did(_move("a/x", "b/x"), _restore("b/x/data", 1))).stuck == ()
    assert disk.now == {"a/x/data/old": "a/x/data/old", f"{NEW}/b/x/data/new": f"{SIDE}1/lab/b/x/data/new"}


def test_a_restore_is_not_taken_back_after_its_service_moved() -> None:
    disk = Disk("a/x/data/old", f"{SIDE}1/lab/a/x/data/new")
    restored = disk.did(_restore("a/x/data", 1))
    moved = disk.did(_move("a/x", "b/x"))

    back = disk.back(restored, moved)
    assert back.moves == ()
    assert back.stuck == (
        "Nothing goes back from or to a/x/data: 'move_service b/x' moved on what was put there. Roll that back first.",
    )
    with pytest.raises(InvalidInput) as caught:
        rollback(restored[0], {}, read=lambda path: None, later=moved, exists=disk.exists, trash=NEW)
    assert "Roll that back first" in caught.value.message


def test_data_that_was_deleted_by_hand_comes_back() -> None:
    disk = Disk("a/x/data/old", f"{SIDE}1/lab/a/x/data/new")
    restored = disk.did(_restore("a/x/data", 1))
    disk.drop("a/x/data")
    assert [m.target for m in disk.back(restored, [_move("c/y", "d/y")]).moves] == ["a/x/data"]


def test_files_never_part_from_data_that_is_there() -> None:
    disk = Disk("a/x/data")
    moved = disk.did(_move("a/x", "b/x"))
    disk.now["a/x/other"] = "other"
    with pytest.raises(InvalidInput) as caught:
        disk.back(moved)
    assert caught.value.code == "data_in_the_way"

    disk.drop("a/x")
    on = disk.did(_move("b/x", "c/x"))
    with pytest.raises(InvalidInput) as caught:
        disk.back(moved, on)
    assert "'move_service c/x' moved on what was put there. Roll that back first." in caught.value.message
    disk.drop("c/x")
    assert "Roll that back first" in disk.back(moved, on).stuck[0]


def test_what_a_roll_back_took_home_already_is_not_told() -> None:
    disk = Disk("a/x/data", "a/y/old", f"{SIDE}1/lab/a/y/new")
    moved, restored = disk.did(_move("a/x", "b/x"), _restore("a/y", 1))
    later = disk.did(_plan("rollback", ("a/y", f"{T}r/a/y"), (f"{T}1/a/y", "a/y")), _move("b/x", "a/x"))
    assert disk.back([moved], later) == disk.back([restored], later) == MovesBack(())


@pytest.mark.parametrize("emptied", [True, False])
def test_a_chain_of_moves_goes_back_as_far_as_its_data_is_there(emptied: bool) -> None:
    disk = Disk("b/x/B", "a/x/A")
    plans = disk.did(_move("b/x", "c/x"), _move("a/x", "b/x"), _plan("remove_service", ("c/x", f"{T}9/c/x")))
    if emptied:
        disk.drop(T)
    back = disk.back(plans)
    assert disk.now == {f: f for f in (["a/x/A"] if emptied else ["a/x/A", "b/x/B"])}
    assert len(back.stuck) == emptied


def test_data_put_aside_is_told_as_such_and_at_high_risk() -> None:
    disk = Disk("a/x/data/old", f"{SIDE}1/lab/a/x/data/new")
    (plan,) = disk.did(_restore("a/x/data", 1))
    alone = rollback(plan, {}, read=lambda path: None, exists=disk.exists, trash=NEW)
    at_once = rollback_to(
        [Step(plan, {})], then={}, gone={}, read=lambda path: None, point="", exists=disk.exists, trash=NEW
    )
    for draft in (alone, at_once):
        assert [m.why for m in draft.moves] == ["Kept, as it was written since.", "Moves the data back."]
        told = [r.reason for r in draft.risks if r.risk is Risk.HIGH]
        assert told == ["What was written in a/x/data since is put aside."]


def _remove(path: str, number: int) -> Plan:
    return _plan("remove_service", (path, f"{T}{number}/{path}"))


def test_data_that_lay_in_what_was_removed_later_goes_back_after_it() -> None:
    disk = Disk("media/app/db/rows", "media/app/config")
    removed = disk.did(_remove("media/app/db", 1), _remove("media/app", 2))

    at_once = disk.back(removed)
    assert [m.target for m in at_once.moves] == ["media/app"]
    (told,) = at_once.stuck
    assert told.startswith(f"The data that was in media/app/db stays at {T}1/media/app/db:")
    assert "remove_service .homelab/trash/2/media/app' moved what lies in it or around it" in told
    assert told.endswith("Roll that back by itself first.")

    disk.move("media/app", f"{T}2/media/app")
    last = disk.back([removed[1]])
    taken = _plan("rollback", *((m.source, m.target) for m in last.moves))
    assert disk.back([removed[0]], [removed[1], taken]).stuck == ()
    assert disk.now == {f: f for f in disk.files}


PARTS = ("a/x", "a/x/data", "a/x/data/f", "b/y")


@pytest.mark.parametrize("kinds", list(product("rdm", repeat=3)), ids="".join)
def test_an_apply_makes_every_way_back_that_is_planned(kinds: tuple[str, ...]) -> None:
    for paths in product(PARTS, repeat=3):
        disk = Disk("a/x/data/f/1", "a/x/data/2", "a/x/3", "b/y/4")
        plans: list[Plan] = []
        for number, (path, kind) in enumerate(zip(paths, kinds, strict=True), 1):
            if not disk.exists(path):
                continue
            if kind == "r":
                disk.now[f"{SIDE}{number}/lab/{path}/new"] = f"{SIDE}{number}"
            made = {"r": _restore(path, number), "d": _remove(path, number), "m": _move(path, f"c/{number}")}
            plans += disk.did(made[kind])
        before = sorted(disk.now.values())
        with suppress(InvalidInput):
            disk.back(plans)
        assert sorted(disk.now.values()) == before


def test_what_was_in_use_goes_to_the_trash_of_the_host_that_it_is_on() -> None:
    """A roll-back of the whole lab: one restore here, one on another host, whose trash has a name of its own."""
    disk = Disk(f"{SIDE}web", "apps/web", "backup-nas/restore/db", "photos/db")
    plans = disk.did(
        _plan("restore_backup", ("apps/web", f"{T}old/apps/web"), (f"{SIDE}web", "apps/web")),
        _plan("restore_backup", ("photos/db", f"{T}old@nas/photos/db"), ("backup-nas/restore/db", "photos/db")),
    )
    found = moves_back(plans, disk.exists, trash=NEW, host_of=lambda p: "nas" if p.startswith("photos/") else "local")
    assert {(m.source, m.target) for m in found.moves} == {
        ("apps/web", f"{NEW}/apps/web"),
        ("photos/db", f"{NEW}@nas/photos/db"),
        (f"{T}old/apps/web", "apps/web"),
        (f"{T}old@nas/photos/db", "photos/db"),
    }
    assert [note.partition(" is kept in ")[2].partition(" ")[0] for note in found.notes] == [f"{NEW}@nas", NEW]
