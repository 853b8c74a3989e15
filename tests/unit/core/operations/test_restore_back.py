"""A restore of a backup is taken back: the data before it comes back, and what was written since is kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from homelab_mcp.core.operations.rollback import rollback
from homelab_mcp.core.operations.rollback_to import Step, rollback_to
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import DataMove, Draft, Plan, Requester, Risk

PUT_ASIDE = ".homelab/trash/20260101-000000-restore-app"
SIDE = "backup/restore/20260101-000000-abcd"


def _plan(*moves: DataMove, operation: str = "restore_backup") -> Plan:
    draft = Draft(operation, "Restore media/app", (), (), moves=moves)
    return Plan("p" * 32, draft, Risk.HIGH, (), (), {}, Requester("cli"), 0, 1)


def _swap(path: str) -> tuple[DataMove, DataMove]:
    return DataMove(path, f"{PUT_ASIDE}/{path}", ""), DataMove(f"{SIDE}/lab/{path}", path, "")


def _there(*paths: str) -> Callable[[str], bool]:
    return lambda path: path in paths


def test_data_in_use_stays_where_nothing_can_come_back_in_its_place() -> None:
    plan = _plan(*_swap("media/app"), *_swap("media/web"))
    there = _there("media/app", "media/web", f"{PUT_ASIDE}/media/web")

    alone = rollback(plan, {}, read=lambda path: None, exists=there)
    at_once = rollback_to([Step(plan, {})], then={}, gone={}, read=lambda path: None, point="", exists=there)

    for draft in (alone, at_once):
        assert {m.source for m in draft.moves} == {"media/web", f"{PUT_ASIDE}/media/web"}
        assert "What is in media/app now stays there" in " ".join(draft.notes)


def test_with_the_trash_emptied_nothing_of_a_restore_is_taken_back() -> None:
    with pytest.raises(InvalidInput) as caught:
        rollback(_plan(*_swap("media/app")), {}, read=lambda path: None, exists=_there("media/app"))
    assert caught.value.code == "nothing_to_do"
    assert "no longer at" in caught.value.message


NEW = ".homelab/trash/20260201-000000-rollback"


def _both(*plans: Plan, there: Callable[[str], bool], stack: str = "") -> list[tuple[str, str]]:
    steps = [Step(p, {}) for p in plans]
    draft = rollback_to(steps, then={}, gone={}, read=lambda path: None, point="", exists=there, trash=NEW, stack=stack)
    moves = [(m.source, m.target) for m in draft.moves]
    if len(plans) == 1:
        alone = rollback(plans[0], {}, read=lambda path: None, exists=there, trash=NEW)
        assert [(m.source, m.target) for m in alone.moves] == moves
        assert f"What is in media/app now is kept in {NEW} for 30 days." in alone.notes
    assert any(f"kept in {NEW}" in n for n in draft.notes)
    return moves


def test_what_was_written_since_a_restore_goes_into_the_trash_and_not_where_backups_are_restored_to() -> None:
    there = _there("media/app", f"{PUT_ASIDE}/media/app")
    wanted = [("media/app", f"{NEW}/media/app"), (f"{PUT_ASIDE}/media/app", "media/app")]
    plan = _plan(*_swap("media/app"))

    assert _both(plan, there=there) == wanted
    assert _both(plan, there=there, stack="media") == wanted


def test_a_roll_back_taken_back_gives_the_data_in_use_a_new_folder_of_the_trash_with_days_of_its_own() -> None:
    older = ".homelab/trash/20260102-000000-rollback/media/app"
    back = (DataMove("media/app", older, ""), DataMove(f"{PUT_ASIDE}/media/app", "media/app", ""))

    moves = _both(_plan(*back, operation="rollback"), there=_there("media/app", older))
    assert moves == [("media/app", f"{NEW}/media/app"), (older, "media/app")]


def test_of_two_restores_the_data_between_them_stays_in_the_trash() -> None:
    second = ".homelab/trash/20260103-000000-restore-app/media/app"
    again = (DataMove("media/app", second, ""), DataMove("backup/restore/x/lab/media/app", "media/app", ""))
    there = _there("media/app", second, f"{PUT_ASIDE}/media/app")

    moves = _both(_plan(*_swap("media/app")), _plan(*again), there=there)
    assert moves == [("media/app", f"{NEW}/media/app"), (f"{PUT_ASIDE}/media/app", "media/app")]
