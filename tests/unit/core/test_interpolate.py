"""Every operator of Compose's interpolation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.core.interpolate import InterpolationInvalid, Missing, interpolate

ENV = {"SET": "value", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$SET/x", "value/x"),
        ("${SET}x", "valuex"),
        ("$$SET", "$SET"),
        ("$${SET}", "${SET}"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${GONE-d}", "d"),
        ("${SET:-d}", "value"),
        ("${SET:+a}", "a"),
        ("${EMPTY:+a}", ""),
        ("${EMPTY+a}", "a"),
        ("${GONE+a}", ""),
        ("${SET:?no}", "value"),
        ("${EMPTY?no}", ""),
        ("${GONE:-${SET}}", "value"),
        ("${GONE:-a${GONE:-${SET:+in}}z}", "ainz"),
        ("${GONE:-}", ""),
        ("${GONE:-http://x:80/?a=b}", "http://x:80/?a=b"),
        ("${SET}${SET}", "valuevalue"),
        ("5$ $(x) $1 $", "5$ $(x) $1 $"),
        ("${SET-x}y}", "valuey}"),
    ],
)
def test_operators(text: str, result: str) -> None:
    done = interpolate(text, ENV)
    assert done.text == result
    assert done.missing == ()


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("${GONE}", Missing("GONE")),
        ("$GONE", Missing("GONE")),
        ("${EMPTY:?set it}", Missing("EMPTY", required=True)),
        ("${GONE?}", Missing("GONE", required=True)),
        ("${OTHER:-${GONE}}", Missing("GONE")),
    ],
)
def test_missing_variables_are_told(text: str, missing: Missing) -> None:
    assert interpolate(text, ENV).missing == (missing,)


@pytest.mark.parametrize("text", ["${", "${}", "${1}", "${A", "${A%x}", "${A B}", "${A:}", "${A:-${B}"])
def test_what_begins_no_variable_is_refused(text: str) -> None:
    with pytest.raises(InterpolationInvalid) as caught:
        interpolate(text, ENV)
    assert "$$" in caught.value.hint


@given(st.text(alphabet="${}:-?+AB ", max_size=40))
def test_nothing_else_is_raised_and_time_is_bounded(text: str) -> None:
    try:
        interpolate(text, {"A": "$B"})
    except InterpolationInvalid as error:
        assert error.code == "interpolation_invalid"


def test_values_are_not_interpolated_again() -> None:
    assert interpolate("$A", {"A": "$B"}).text == "$B"


@pytest.mark.parametrize("text", ["${A:-${B:?x}}", "${A-${B:?x}}", "${A:+${B:?x}}", "${C:+${B:?x}}", "${A:?${B:?x}}"])
def test_a_word_that_is_not_taken_must_have_what_it_requires(text: str) -> None:
    # Seen with docker compose config 2.40.3: "required variable B is missing a value" for each of them.
    assert Missing("B", required=True) in interpolate(text, {"A": "1"}).missing


def test_a_word_that_is_not_taken_leaves_no_other_variable_missing() -> None:
    result = interpolate("${A:-${B}}", {"A": "1"})
    assert (result.text, result.missing) == ("1", ())
