"""Tables of the command line: a cell is what it says, whatever it looks like."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from homelab_mcp.cli.common import console
from homelab_mcp.cli.tables import fits, print_table, table_of

WORDS = ["[/x]", "[bold]loud[/bold]", "[link=file:///etc/passwd]here[/link]", "a\\[b]", ":bug:"]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    "cell", ["[/x]", "[bold]loud[/bold]", "[link=file:///etc/passwd]here[/link]", "a\\[b]", ":bug:"]
)
def test_a_cell_is_shown_as_it_is(cell: str, terminal: bool) -> None:
    out = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    table = table_of([{"name": cell, "count": 0, "none": None}], ["name", "count", "none"])
    assert fits(out, table)
    print_table(out, table)
    assert isinstance(out.file, io.StringIO)
    assert out.file.getvalue().splitlines()[1].split() == [cell, "0"]


@pytest.mark.parametrize("word", WORDS)
def test_a_line_is_shown_as_it_is(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    console().print(f"web: {word}", style="bold")
    assert capsys.readouterr().out == f"web: {word}\n"
