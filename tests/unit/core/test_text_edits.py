"""Changes as edits by line and column, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.core.text_edits import apply_edits, edits_between, overlaps
from homelab_mcp.model.errors import EditRefused
from homelab_mcp.model.finding import TextEdit

LINES = st.lists(st.sampled_from(["a", "b", "a: 1", "", "  c", "\r", "d\r", "\u2028"]), max_size=12).map("\n".join)


@given(LINES, LINES, st.sampled_from(["", "\ufeff"]))
def test_the_edits_between_two_texts_make_one_of_the_other(before: str, after: str, mark: str) -> None:
    edits = edits_between("f", mark + before, mark + after)
    assert apply_edits(mark + before, edits) == mark + after
    assert not any(overlaps(a, b) for n, a in enumerate(edits) for b in edits[:n] if a.text != b.text)
    assert (before == after) == (not edits)


def test_a_change_inside_a_line_is_the_least_one_and_new_lines_are_whole() -> None:
    assert edits_between("f", "a: 1\nb: xyz\n", "a: 1\nb: xqz\n") == (TextEdit("f", 2, 5, 2, 6, "q"),)
    assert edits_between("f", "a\nb\n", "a\nnew\nb\n") == (TextEdit("f", 2, 1, 2, 1, "new\n"),)
    assert edits_between("f", "a\nb\n", "b\n") == (TextEdit("f", 1, 1, 2, 1, ""),)


@pytest.mark.parametrize(
    "edit", [TextEdit("f", 9, 1, 9, 1, "x"), TextEdit("f", 1, 5, 1, 2, "x"), TextEdit("f", 0, 1, 1, 1, "")]
)
def test_an_edit_outside_the_text_is_refused(edit: TextEdit) -> None:
    with pytest.raises(EditRefused):
        apply_edits("abcdef\n", [edit])


def test_edits_that_overlap_are_refused_and_insertions_at_one_place_keep_their_order() -> None:
    with pytest.raises(EditRefused):
        apply_edits("abcdef", [TextEdit("f", 1, 1, 1, 4, "x"), TextEdit("f", 1, 3, 1, 5, "y")])
    both = [TextEdit("f", 1, 2, 1, 2, "1"), TextEdit("f", 1, 2, 1, 2, "2")]
    assert apply_edits("ab", both) == "a12b"
    assert not overlaps(*both)
    assert overlaps(TextEdit("f", 2, 1, 2, 1, "A=1\n"), TextEdit("f", 2, 1, 2, 1, "A=2\n"))
