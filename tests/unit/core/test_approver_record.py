"""Which key the journal's entries come to."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core.approver_record import (
    ACCEPTED,
    CHANGED,
    SET,
    Standing,
    accepting_message,
    following_message,
    follows,
    key_name,
    recorded,
    standing,
)


def sign(key: str, message: bytes) -> str:
    return f"{key}:{message.hex()}"


def signed_by(public: str, message: bytes, signature: str) -> bool:
    return signature == sign(public, message)


def entry(event: str, approver: str, previous: str = "", proof: Any = None) -> dict[str, Any]:
    return {"event": event, "time": 1.0, "data": {"approver": approver, "previous": previous, "proof": proof}}


def link(old: str, new: str) -> tuple[str, str]:
    return old, sign(old, following_message(old, new))


FIRST = entry(SET, "a")


@pytest.mark.parametrize(
    ("entries", "public"),
    [
        ([], None),
        ([FIRST], "a"),
        ([FIRST, entry(SET, "x")], "a"),
        ([FIRST, entry(CHANGED, "b", "a", [list(link("a", "b"))])], "b"),
        ([FIRST, entry(CHANGED, "c", "a", [list(link("a", "b")), list(link("b", "c"))])], "c"),
        ([FIRST, entry(CHANGED, "x", "a", [["a", sign("x", following_message("a", "x"))]])], "a"),
        ([FIRST, entry(CHANGED, "x", "a", [])], "a"),
        ([FIRST, entry(CHANGED, "x", "a", "nonsense")], "a"),
        ([FIRST, entry(CHANGED, "b", "z", [list(link("z", "b"))])], "a"),
        ([FIRST, entry(ACCEPTED, "b", "a", sign("b", accepting_message("a", "b")))], "b"),
        ([FIRST, entry(ACCEPTED, "b", "a", sign("b", following_message("a", "b")))], "a"),
        ([FIRST, entry(ACCEPTED, "b", "z", sign("b", accepting_message("z", "b")))], "a"),
        ([FIRST, entry(ACCEPTED, "b", "a", None)], "a"),
        ([entry(CHANGED, "b", "a", [list(link("a", "b"))])], None),
        ([entry(ACCEPTED, "b", "", sign("b", accepting_message("", "b")))], None),
        ([{"event": SET, "data": None}, FIRST, {"event": "plan_made", "data": {"approver": "x"}}], "a"),
    ],
)
def test_only_the_first_key_and_those_that_are_proved_after_it_are_on_record(
    entries: list[dict[str, Any]], public: str | None
) -> None:
    found = recorded(entries, signed_by)
    assert (found.public if found else None) == public


@pytest.mark.parametrize(
    ("public", "links", "wanted"),
    [
        ("", (), Standing.NONE),
        ("a", (), Standing.KNOWN),
        ("b", (), Standing.REPLACED),
        ("b", (link("a", "b"),), Standing.FOLLOWS),
        ("c", (link("a", "b"), link("b", "c")), Standing.FOLLOWS),
        ("c", (link("z", "a"), link("a", "b"), link("b", "c")), Standing.FOLLOWS),
        ("c", (link("b", "c"),), Standing.REPLACED),
        ("x", (link("a", "b"),), Standing.REPLACED),
        ("x", (("a", sign("x", following_message("a", "x"))),), Standing.REPLACED),
        ("c", (link("a", "x"), link("b", "c")), Standing.REPLACED),
    ],
)
def test_a_key_that_nobody_signed_for_is_replaced(
    public: str, links: tuple[tuple[str, str], ...], wanted: Standing
) -> None:
    assert standing(recorded([FIRST], signed_by), public, links, signed_by) is wanted


def test_without_a_record_the_key_in_use_is_unrecorded() -> None:
    assert standing(None, "a", (), signed_by) is Standing.UNRECORDED


def test_only_the_links_from_the_recorded_key_on_are_needed() -> None:
    chain = (link("z", "a"), link("a", "b"))
    assert follows("a", chain, "b", signed_by) == chain[1:]


def test_a_keys_name_is_short_and_differs() -> None:
    assert len({key_name("AAAA"), key_name("AAAB"), key_name("not base64!")}) == 3
    assert key_name("AAAA").count("-") == 3
    assert key_name("") == ""
