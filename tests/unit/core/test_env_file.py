"""``.env``: what is set reads back exactly, and no other line changes. Compose's own word: tests/docker."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core.env_file import entries, parse, quote, remove, set_values
from homelab_mcp.model.errors import InvalidInput

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
    lambda n: not n.upper().startswith(("COMPOSE_", "DOCKER_"))
)
values = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40)

MINE = """# my file
export A=1   # one
B='two # two'
C="x ${A}"

LONG="first
second"
B=again
"""


@settings(deadline=None)
@given(wanted=st.dictionaries(names, values, max_size=6))
def test_what_is_set_reads_back(wanted: dict[str, str]) -> None:
    assert parse(set_values("", wanted)) == wanted


@settings(deadline=None)
@given(wanted=st.dictionaries(names, values, min_size=1, max_size=4))
def test_setting_and_removing_again_restores_the_text(wanted: dict[str, str]) -> None:
    fresh = {f"NEW_{name}"[:60]: value for name, value in wanted.items()}

    assert remove(set_values(MINE, fresh), fresh) == MINE


@settings(deadline=None)
@given(name=names, value=values)
def test_only_one_line_changes(name: str, value: str) -> None:
    text = f"# before\n{name}_X=1\n{name}=old # kept\nZ_=2\n"

    new = set_values(text, {name: value}).splitlines()

    assert [new[0], new[1], new[3]] == ["# before", f"{name}_X=1", "Z_=2"]
    assert new[2].startswith(f"{name}=") and new[2].endswith(" # kept")


def test_a_hand_written_file_is_read_as_compose_reads_it() -> None:
    assert parse(MINE) == {"A": "1", "B": "again", "C": "x 1", "LONG": "first\nsecond"}


def test_letters_of_any_script_and_wide_blanks_are_read_as_compose_reads_them() -> None:
    text = "Größe=1\n\u2003名前: zwei\n\u3000export Q²=3\nA=\u2003x\n"

    assert parse(text) == {"Größe": "1", "名前": "zwei", "Q²": "3", "A": "\u2003x"}
    assert set_values(text, {"B": "4"}) == f"{text}B=4\n"


@pytest.mark.parametrize("text", ["e\u0301=1\n", "A€=1\n", "A\u2003B=1\n"])
def test_marks_signs_and_blanks_are_no_part_of_a_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="Line 1"):
        entries(text)


def test_the_last_of_a_name_is_changed_since_it_wins() -> None:
    assert set_values(MINE, {"B": "3"}) == MINE.replace("B=again", "B=3")


def test_removal_takes_every_line_of_the_name_and_no_comment_line() -> None:
    assert remove(MINE, ["B"]) == MINE.replace("B='two # two'\n", "").replace("B=again\n", "")


def test_an_equal_value_leaves_the_text_alone() -> None:
    assert set_values(MINE, {"A": "1", "B": "again"}) == MINE


def test_line_ending_missing_final_newline_and_byte_order_mark_are_kept() -> None:
    assert set_values("A=1\r\nB=2\r\n", {"C": "3"}) == "A=1\r\nB=2\r\nC=3\r\n"
    assert set_values("A=1", {"B": "2"}) == "A=1\nB=2\n"
    assert set_values("\ufeffA=1\n", {"A": "2"}) == "\ufeffA=2\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [("plain/1.2", "plain/1.2"), ("", ""), ("a b", "'a b'"), ("$HOME", "'$HOME'"), ("it's $x", '"it\'s \\$x"')],
)
def test_quoting(value: str, written: str) -> None:
    assert quote(value) == written


@pytest.mark.parametrize("name", ["COMPOSE_PROJECT_NAME", "docker_host", "1A", "A-B", "", "A\nB", "A=B"])
def test_names_that_steer_compose_or_are_none_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        set_values("", {name: "x"})
    assert caught.value.code in {"reserved_name", "bad_name"}


@pytest.mark.parametrize("value", ["a\nCOMPOSE_PROJECT_NAME=x", "a\rb", "nul\0", "\x1b[31m", "\u2028", "\u0085", "\t"])
def test_control_characters_are_refused_and_the_value_is_not_repeated(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        set_values("", {"SECRET": f"canary{value}"})
    assert caught.value.code == "bad_value"
    assert "canary" not in caught.value.as_text()


@pytest.mark.parametrize("text", ["A='open\n", "not a line\n", "=x\n"])
def test_what_compose_cannot_read_is_refused_with_the_line(text: str) -> None:
    with pytest.raises(InvalidInput, match="Line 2"):
        entries(f"OK=1\n{text}")
