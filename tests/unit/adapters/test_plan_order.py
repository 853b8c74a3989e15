"""The newest plans are found without reading all of them, and are the same ones."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from homelab_mcp.adapters.plan_order import SLACK, newest
from homelab_mcp.adapters.plan_store import FilePlanStore
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.plan import Draft, FileEdit, Plan, PlanState, PlanStatus, Requester, Risk
from homelab_mcp.queries.history import history

NOW = 1_790_000_000.0
APART = 3 * SLACK


def stored(store: FilePlanStore, number: int, state: PlanState, *, touched: float | None = None) -> str:
    """A plan made and ended at its turn, its folder dated alike or as said."""
    when = NOW + number * APART
    draft = Draft("set_env", f"Change {number}.", (FileEdit("a/.env", None, "A=b\n"),), ())
    plan = Plan(f"{number:032x}", draft, Risk.LOW, (), (), {}, Requester("cli"), when, when + 900, "d")
    store.add(plan)
    store.set_status(plan.id, PlanStatus(state, updated=when + 60))
    os.utime(store._folder / plan.id, (when + 60 if touched is None else touched,) * 2)
    return plan.id


@pytest.mark.parametrize("seed", range(40))
def test_it_is_what_reading_all_and_sorting_gives(seed: int) -> None:
    chance = random.Random(seed)
    rows = {str(n): NOW + chance.uniform(0, 400 * SLACK) for n in range(300)}
    gone = set(chance.sample(sorted(rows), 60))
    left_out = set(chance.sample(sorted(rows), 60))

    def read(name: str) -> tuple[str, float] | None:
        if name in gone:
            raise NotFound("gone")
        return None if name in left_out else (name, rows[name])

    # Touched later than it says, as by a copy or a newer record; or some time before, by a file server's clock.
    dated = sorted(
        (
            (when + chance.choice((-SLACK, 0.0, 50.0, 90 * SLACK)) * chance.random(), name)
            for name, when in rows.items()
        ),
        reverse=True,
    )
    whole = sorted((row for name in rows if name not in gone and (row := read(name))), key=lambda row: -row[1])
    for limit in (0, 1, 7, 20, 300, 1_000):
        assert newest(dated, read, lambda row: row[1], limit) == whole[:limit]


def test_a_page_reads_little_more_than_its_rows() -> None:
    asked = []

    def read(name: str) -> float:
        asked.append(name)
        return float(name)

    dated = [(n * APART, str(n * APART)) for n in reversed(range(10_000))]
    assert newest(dated, read, float, 20) == [n * APART for n in reversed(range(9_980, 10_000))]
    assert len(asked) == 20


def test_history_reads_the_records_of_its_page_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = open_lab(str(tmp_path), files_only=True)
    store = FilePlanStore(tmp_path)
    states = [PlanState.DONE, PlanState.DECLINED, PlanState.ROLLED_BACK, PlanState.PENDING, PlanState.FAILED]
    made = [stored(store, n, states[n % 5]) for n in range(50)]
    ended = [f"{n:032x}" for n in reversed(range(50)) if n % 5 in (0, 2, 4)]
    read: list[str] = []
    status = FilePlanStore.status

    def noted(store: FilePlanStore, plan_id: str) -> PlanStatus:
        read.append(plan_id)
        return status(store, plan_id)

    monkeypatch.setattr(FilePlanStore, "status", noted)
    assert [row["plan_id"] for row in history(lab, 6)] == ended[:6]
    assert len(read) <= 11, "of six that ended and of those between them"
    assert [row["plan_id"] for row in history(lab, 6, 3)] == ended[3:9]
    assert [row["plan_id"] for row in history(lab, 100)] == ended
    read.clear()
    assert [plan.id for plan, _ in store.list(5, outline=True)] == made[:-6:-1]
    assert len(read) <= 6


def test_folders_that_were_all_dated_anew_give_the_same(tmp_path: Path) -> None:
    lab = open_lab(str(tmp_path), files_only=True)
    for n in range(12):
        stored(FilePlanStore(tmp_path), n, PlanState.DONE, touched=NOW * 2 - n)
    assert [row["summary"] for row in history(lab, 2)] == ["Change 11.", "Change 10."]
    shutil.rmtree(tmp_path / ".homelab/plans")
    assert history(lab, 2) == []


@pytest.mark.parametrize("dated_now", [0, 3, 30])
def test_folders_that_an_archive_dated_long_ago_give_the_same(dated_now: int) -> None:
    rows = {str(n): NOW + n * APART for n in range(300)}
    when = {name: made if int(name) >= 300 - dated_now else NOW / 4 for name, made in rows.items()}
    dated = sorted(((at, name) for name, at in when.items()), key=lambda pair: (-pair[0], int(pair[1])))
    for limit in (1, 7, 40):
        assert newest(dated, rows.__getitem__, lambda at: at, limit) == sorted(rows.values(), reverse=True)[:limit]
