"""How tests play a page's listings: the page's own words, all of them, each with the end that the page says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.doc_pages import blocks_of
from tests.doc_play import Shell, not_asked_for, played

PAGE = """
<!-- test: run by tests/test_it.py; exits 7 for sh, because it says so -->
```sh
mkdir there && cd there      # a folder
export WORD="two words"
echo "$WORD" | tr a-z A-Z > /opt/far/said.txt
sh -c 'exit 7'
```
<!-- test: run by tests/test_it.py for touch -->
```sh
homelab-mcp status
touch \\
  last
```
"""
ALL = "played('docs/it.md', __file__)\n"


@pytest.fixture
def test_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A repository's folder with that page, and its test."""
    monkeypatch.setattr("tests.doc_pages.ROOT", tmp_path)
    monkeypatch.setattr("tests.doc_play.ROOT", tmp_path)
    for name, text in {"docs/it.md": PAGE, "tests/test_it.py": ALL}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text, "utf-8")
    return str(tmp_path / "tests/test_it.py")


def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, dict(os.environ), {"/opt/far": str(tmp_path)})


def test_all_lines_are_typed_in_one_shell(tmp_path: Path, test_it: str) -> None:
    with played("docs/it.md", test_it) as play:
        assert len(play.type(shell(tmp_path))) == 5
    assert (tmp_path / "said.txt").read_text("utf-8") == "TWO WORDS\n"
    assert (tmp_path / "there" / "last").is_file()


def test_a_command_that_is_left_out_is_found(tmp_path: Path, test_it: str) -> None:
    with pytest.raises(AssertionError, match=r"did not run.*touch last"), played("docs/it.md", test_it) as play:
        play.type(shell(tmp_path), *play.lines[:-1])


def test_a_command_that_ends_otherwise_than_the_page_says_is_found(tmp_path: Path, test_it: str) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(AssertionError, match=r"(?s)ended with 1, not 0.*exists"), played("docs/it.md", test_it) as play:
        play.type(shell(tmp_path))


def test_a_replacement_that_the_page_no_longer_needs_is_found(tmp_path: Path, test_it: str) -> None:
    far = Shell(tmp_path, dict(os.environ), {"/opt/far": str(tmp_path), "elsewhere.example": "here"})
    with pytest.raises(AssertionError, match="it needs no replacement"), played("docs/it.md", test_it) as play:
        play.type(far)


def test_what_is_asked_for_in_parts_is_run_in_parts(tmp_path: Path, test_it: str) -> None:
    with played("docs/it.md", test_it, "touch") as play:
        play.type(Shell(tmp_path, dict(os.environ)))
    assert (tmp_path / "last").is_file()
    with pytest.raises(AssertionError, match="no listing"), played("docs/it.md", test_it, "rm"):
        pass


@pytest.mark.parametrize(
    ("source", "lacks"),
    [
        (ALL, 0),
        ("", 7),
        ("played('docs/other.md', __file__)\n", 7),
        ("played('docs/it.md', __file__, 'touch')\n", 6),
        ("played('docs/it.md', __file__, 'touch', 'mkdir')\nplayed('docs/it.md', __file__, 'sh')\n", 3),
        ("# played('docs/it.md', __file__)\n", 7),
    ],
)
def test_what_a_test_does_not_ask_for_is_found(tmp_path: Path, test_it: str, source: str, lacks: int) -> None:
    Path(test_it).write_text(source, "utf-8")
    commands = [(block, c) for block in blocks_of("docs/it.md", PAGE) for c in block.commands]
    assert len([1 for block, c in commands if not_asked_for(block, c)]) == lacks
