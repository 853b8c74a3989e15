"""A command is split as Compose splits it. The expectations are what Compose 2.40.3 printed for these texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.core.shellwords import split


@pytest.mark.parametrize(
    ("text", "words", "lost"),
    [
        ("run --a 'b c' \"d e\"", ("run", "--a", "b c", "d e"), ""),
        ("a\\ b c", ("a b", "c"), ""),
        ("'a;b' \"c&d\"", ("a;b", "c&d"), ""),
        ("echo $(date) x", ("echo", "$(date)", "x"), ""),
        ("'' a", ("", "a"), ""),
        ("echo a && sleep 60", ("echo", "a"), "&& sleep 60"),
        ("run --x=a;b --y", ("run", "--x=a"), ";b --y"),
        ("node a.js > /log; more", ("node", "a.js"), "> /log; more"),
        ("echo 2>&1", ("echo",), ">&1"),
        ('sh -c "a && b" | c', ("sh", "-c", "a && b"), "| c"),
        ("", (), ""),
    ],
)
def test_words_and_what_is_lost(text: str, words: tuple[str, ...], lost: str) -> None:
    found = split(text)
    assert found is not None
    assert (found.words, found.lost) == (words, lost)


@pytest.mark.parametrize("text", ["it's", 'a "b', "a \\", "echo (z)", "a b)", "x$(a", "print(1)"])
def test_what_compose_refuses(text: str) -> None:
    assert split(text) is None


@given(st.text())
def test_nothing_raises(text: str) -> None:
    found = split(text)
    assert found is None or text.endswith(found.lost)
