"""Resolving drift removes no container that a file may name which nobody could read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from homelab_mcp.core.drift import ContainerDrift, DriftWord, FileChange, FileWord, drift_of
from homelab_mcp.core.operations.adopt import adopt, discard
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import ContainerState, Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft

WEB = "services:\n  web:\n    image: nginx:1.29\n"
UNSEEN = "include: ['${D}/x.yml']\n" + WEB
ORPHAN = ContainerDrift("media", "app", DriftWord.ORPHAN, ("container app",))
CONF = FileChange("media/web.conf", FileWord.CHANGED, "a", "b")


def stack(text: str) -> StackFiles:
    return StackFiles("media", "media/compose.yaml", text)


def removed(draft: Draft) -> list[str]:
    return [s for a in draft.actions if a.kind is ActionKind.REMOVE_ORPHANS for s in a.services]


@pytest.mark.parametrize(("text", "sure", "gone"), [(UNSEEN, True, []), (WEB, False, []), (WEB, True, ["app"])])
def test_a_container_that_an_unread_file_may_name_stays(text: str, sure: bool, gone: list[str]) -> None:
    then = stack(WEB + "  app:\n    image: app:1\n")
    change = FileChange("media/compose.yaml", FileWord.CHANGED, then.compose_text, text)
    orphan = replace(ORPHAN, sure=sure)
    lab = Snapshot((stack(text),), None)

    taken = adopt(lab, "media", [change], [orphan], committed=(then,))
    back = discard(lab, "media", [CONF], [orphan], read=lambda path: None, committed=(stack(text),))
    for draft in (taken, back):
        assert removed(draft) == gone
        assert ("one of them may name it" in " ".join(draft.notes)) is not bool(gone)


def test_with_nothing_else_to_take_back_it_is_told_why() -> None:
    with pytest.raises(InvalidInput) as caught:
        discard(Snapshot((stack(UNSEEN),), None), "media", [], [ORPHAN], read=lambda path: None)
    assert "one of them may name it" in str(caught.value.hint)


def test_an_orphan_is_sure_only_where_compose_told_what_it_knows() -> None:
    container = ContainerState("id", "app-1", "app:1", "running", stack="media", service="app")

    def sure(hashes: dict[str, str] | None) -> bool:
        return drift_of("media", declared={}, wanted=[], hashes=hashes, containers=[container])[0].sure

    assert sure({})
    assert not sure(None)
