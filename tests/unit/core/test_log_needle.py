"""The word that a pattern's lines must have, and the search for it through a stream of any shape."""

from __future__ import annotations

import random

import pytest

from homelab_mcp.adapters.docker_search import stretches
from homelab_mcp.core.log_lines import matcher
from homelab_mcp.core.log_needle import needle_of


@pytest.mark.parametrize(
    ("pattern", "needle"),
    [
        ("connection refused", ("connection refused", False)),
        ("^error: .* timeout$", (" timeout", False)),
        (r"disk\.full\d+", ("disk.full", False)),
        ("colou?rs", ("colo", False)),
        ("(a|b)needle[xyz]+", ("needle", False)),
        ("x{3}abcd*", ("abc", False)),
        ("(?i)Broken Pipe", ("bro", True)),
        ("one|other", ("", False)),
        ("(?x) a b c", ("", False)),
        (r"\x41bcdef", ("", False)),
        ("ab", ("", False)),
        (".*", ("", False)),
        ("is [redacted]", ("is ", False)),
        ("redacted", ("", False)),
        (r"value: \[red", ("", False)),
        ("naïve", ("", False)),
        ("[[:alpha:]]word", ("", False)),
        ("(unclosed", ("", False)),
    ],
)
def test_only_what_is_sure_is_taken(pattern: str, needle: tuple[str, bool]) -> None:
    assert needle_of(pattern) == needle


def test_no_line_matches_without_its_word() -> None:
    chance = random.Random(3)
    parts = ["abc", "def ", "x*", "y+", "z?", "(qq|rr)", "[a-c]", r"\d", r"\.", "long word", ".", "{"]
    words = ["abc", "def ", "long word", "xx", "y", "qq", "7", ".", "b", "Z", "z"]
    tried = 0
    for _ in range(3_000):
        pattern = "".join(chance.choices(parts[:-1], k=chance.randint(1, 4)))
        word, _ = needle_of(pattern)
        matches = matcher(pattern)
        text = "".join(chance.choices(words, k=8))
        if word and matches(text):
            tried += 1
            assert word in text, (pattern, text)
    assert tried > 50


def frame(number: int, text: str, *, end: str = "\n") -> bytes:
    body = f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000000000Z {text}{end}".encode()
    return bytes([1 + number % 2, 0, 0, 0]) + len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("piece", [7_001, 65_536])
@pytest.mark.parametrize("framed", [True, False])
def test_a_word_is_found_wherever_a_block_ends(piece: int, framed: bool) -> None:
    wanted = {0, 1, 30_000, 59_999}
    frames = [frame(n, f"line {n} {'needle' if n in wanted else 'straw and more straw'}") for n in range(60_000)]
    whole = b"".join(frames if framed else [one[8:] for one in frames])
    found = []
    for stretch in stretches((whole[n : n + piece] for n in range(0, len(whole), piece)), b"needle", fold=False):
        found += [text for _, _, text in stretch.lines[stretch.start : stretch.end] if "needle" in text]
    assert found == [f"line {n} needle" for n in sorted(wanted)]


def test_lines_without_an_end_colours_and_rubbish_do_not_stop_it() -> None:
    flood = b"".join(frame(n, "a" * 16_000, end="") for n in range(700))
    stream = [flood, frame(9, "\x1b[31mnee\x1b[0mdle"), b"\x01\x00\x00", b"junk" * 10]
    found = [s for s in stretches(stream, b"needle", fold=False) if s.end > s.start]
    assert len(found) == 1
    assert list(stretches([], b"x", fold=False)) == []
