"""What a drill says: gaps by the clock, and where it was not as was said."""

from __future__ import annotations

from homelab_mcp.core.drill_report import ORDERLY, Seen, Track, report
from homelab_mcp.core.survival_standby import Failure


def test_gaps_are_counted_from_the_last_sight_to_the_next() -> None:
    track = Track({"a/web": "Docker", "a/db": "Docker", "a/gone": "Docker"}, 0.0)
    for now, alive in ((1.0, {"a/web", "a/db", "a/gone"}), (2.0, {"a/web"}), (3.5, {"a/web", "a/db", "new/one"})):
        track.look(alive, now)
    assert track.seen() == (
        Seen("a/web", "Docker", 3, 0.0, at_end=True),
        Seen("a/db", "Docker", 3, 2.5, at_end=True),
        Seen("a/gone", "Docker", 3, 2.5, at_end=False),
    )


def test_a_surprise_is_told_both_ways_and_the_limits_with_it() -> None:
    said = Failure("x", ("a/web", "a/moved"), {"a/db": "bound there", "a/odd": "bound there"})
    seen = [
        Seen("a/web", "Docker", 3, 4.0, at_end=False),
        Seen("a/moved", "Docker", 3, 4.0, at_end=True),
        Seen("a/db", "Docker", 3, 4.0, at_end=False),
        Seen("a/odd", "Docker", 3, 0.0, at_end=True),
        Seen("b/other", "https://b.lab.test/", 3, 0.0, at_end=True),
    ]
    found = report(seen, said, orderly=True)
    assert found["surprises"] == [
        "a/odd was said to stop, and was there all along.",
        "a/web was said to go on, and was gone at the end.",
    ]
    assert {r["service"]: (r["said"], r["seen"]) for r in found["services"]} == {
        "a/web": ("goes on", "gone at the end"),
        "a/moved": ("goes on", "back after 4.0 s"),
        "a/db": ("stops: bound there", "gone at the end"),
        "a/odd": ("stops: bound there", "there all along"),
        "b/other": ("", "there all along"),
    }
    assert found["notes"][0] == ORDERLY
    assert report(seen, None, orderly=False)["surprises"] == []


def test_what_was_unknown_before_is_no_surprise_whatever_came() -> None:
    said = Failure("x", (), {}, unknown={"a/web": "its labels", "a/db": "its labels"})
    seen = [Seen("a/web", "Docker", 3, 0.0, at_end=True), Seen("a/db", "Docker", 3, 4.0, at_end=False)]
    found = report(seen, said, orderly=True)
    assert found["surprises"] == []
    assert {r["said"] for r in found["services"]} == {"unknown: its labels"}
