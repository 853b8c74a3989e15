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
