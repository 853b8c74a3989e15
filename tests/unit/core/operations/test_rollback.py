"""Taking an applied plan back is a plan of its own."""

from __future__ import annotations

import pytest

from homelab_mcp.core.operations.rollback import rollback
from homelab_mcp.core.plan_codec import seal
from homelab_mcp.core.policy import DEFAULT_POLICY
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import ActionKind, Draft, FileEdit, Plan, Requester, Risk

OLD = "services:\n  web: {image: web:1}\n"
NEW = "services:\n  web: {image: web:2}\n  app: {image: app:1}\n"
EDITS = (FileEdit("m/compose.yaml", OLD, NEW), FileEdit("m/.env", None, "A=secret-value\n", 0o600, True))
PLAN = seal(
    Plan("0" * 32, Draft("op", "Add app", EDITS, (), target="app"), Risk.LOW, (), (), {}, Requester("cli"), 0, 9)
)
UNDO: dict[str, tuple[str | None, int]] = {"m/compose.yaml": (OLD, 0o640), "m/.env": (None, 0o600)}
AFTER = {"m/compose.yaml": NEW, "m/.env": "A=secret-value\n"}


def test_files_go_back_and_containers_follow() -> None:
    draft = rollback(PLAN, UNDO, read=AFTER.get)
    assert [(e.path, e.before, e.after, e.secret) for e in draft.edits] == [
        ("m/compose.yaml", NEW, OLD, False),
        ("m/.env", "A=secret-value\n", None, True),
    ]
    assert [(a.kind, a.services) for a in draft.actions] == [
        (ActionKind.REMOVE, ("app",)),
        (ActionKind.PULL, ("web",)),
        (ActionKind.UP, ()),
    ]
    assert (draft.verification.services, draft.verification.gone) == (("web",), ("app",))
    assert "volumes" in " ".join(draft.notes)
    assert (draft.target, draft.secrets) == ("app", ("secret-value",))


def test_a_later_edit_by_hand_is_a_conflict_for_a_person_to_judge() -> None:
    now = {**AFTER, "m/compose.yaml": NEW + "# mine\n"}
    draft = rollback(PLAN, UNDO, read=now.get)
    assert draft.edits[0].before == NEW + "# mine\n"
    risk, reasons = DEFAULT_POLICY.assess(draft, Requester("cli"))
    assert risk is Risk.HIGH
    assert any("m/compose.yaml was changed since" in r for r in reasons)


def test_without_an_undo_record_the_plans_own_edits_tell() -> None:
    assert rollback(PLAN, {}, read=AFTER.get).edits[0].after == OLD


def test_nothing_is_left_to_take_back() -> None:
    with pytest.raises(InvalidInput) as caught:
        rollback(PLAN, UNDO, read={"m/compose.yaml": OLD}.get)
    assert caught.value.code == "nothing_to_do"


def test_a_stack_that_was_new_is_removed_whole() -> None:
    edits = (FileEdit("n/compose.yaml", None, OLD),)
    plan = seal(Plan("0" * 32, Draft("op", "x", edits, ()), Risk.LOW, (), (), {}, Requester("cli"), 0, 9))
    draft = rollback(plan, {"n/compose.yaml": (None, 0o644)}, read={"n/compose.yaml": OLD}.get)
    assert [(a.kind, a.services) for a in draft.actions] == [(ActionKind.REMOVE, ("web",))]
    assert draft.verification.gone == ("web",)
