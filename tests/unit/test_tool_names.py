"""docs/tool-names.md leads to tools, options and commands that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer
from mcp import Client

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.cli.app import app
from homelab_mcp.server import build

PAGE = (Path(__file__).parents[2] / "docs" / "tool-names.md").read_text("utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
_CALL = re.compile(r"(\w+)(?:\(([^)]*)\))?")


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[1:]]


def quoted(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)


async def test_each_tool_takes_the_options_that_are_named(tmp_path: Path) -> None:
    async with Client(build(open_lab(str(tmp_path)))) as client:
        tools: dict[str, dict[str, Any]] = {
            t.name: t.input_schema.get("properties", {}) for t in (await client.list_tools()).tools
        }
    calls = [call for name in ("Questions", "Changes") for row in rows(name) for call in quoted(row[1])]
    assert len(calls) > 60
    for call in calls:
        if call.startswith("homelab://"):
            continue
        found = _CALL.fullmatch(call)
        assert found, call
        assert found[1] in tools, call
        for option in filter(None, (o.strip() for o in (found[2] or "").split(","))):
            name, _, value = option.partition("=")
            assert name in tools[found[1]], call
            assert not value or value in tools[found[1]][name]["enum"], call


def test_each_command_is_there() -> None:
    command: Any = typer.main.get_command(app)
    for row in (*rows("Questions"), *rows("Changes")):
        for words in quoted(row[2]):
            here = command
            for word in words.split():
                assert word in here.commands, words
                here = here.commands[word]


def test_nothing_is_looked_for_twice() -> None:
    names = [name for section in SECTIONS for row in rows(section) for name in quoted(row[0])]
    assert len(names) == len(set(names)) > 70
