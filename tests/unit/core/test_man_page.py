"""The manual page: every command and option is in it; text is never taken for a request."""

from __future__ import annotations

import typer

from homelab_mcp.cli.app import app
from homelab_mcp.cli.man_page import page_of
from homelab_mcp.core.man_page import Command, Option, Page, man_page


def test_every_command_and_option_is_on_the_page() -> None:
    program = typer.main.get_command(app)
    page = page_of(program).replace("\\-", "-")
    for name, command in program.commands.items():  # type: ignore[attr-defined]
        if command.hidden:
            assert f'.SS "homelab-mcp {name}' not in page
            continue
        assert f'.SS "homelab-mcp {name}' in page
        for param in command.params:
            assert param.hidden or param.opts[0] in page or param.opts[0].upper() in page, (name, param.opts)
    assert "HOMELAB_ROOT" in page
    assert ".SH EXIT STATUS\n0 done" in page


def test_text_is_text_and_no_request() -> None:
    option = Option(("--a-b", "-a"), "X", 'Say "it" with \\ and `x`', variable="A_B", repeated=True)
    given = Page(
        "p", "1.0", "does", (option,), (Command(("c",), ".hidden\n\n'quoted", (Option(("name",), "", "", True),)),)
    )
    text = man_page(given)
    assert "\\fB\\-\\-a\\-b\\fR, \\fB\\-a\\fR \\fIX\\fR\nSay \\(dqit\\(dq with \\e and \\(gax\\(ga." in text
    assert "May be repeated. Also: A_B." in text
    assert '.SS "p c NAME"\n\\&.hidden\n.PP\n\\&\'quoted' in text
    assert all(line.startswith((".TH", ".S", ".TP", ".PP", ".B ")) for line in text.splitlines() if line[:1] in ".'")
