"""What a client reads when a call fails: a sentence, a way out and a code, and no word of the SDK's before them."""

import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server.mcpserver.exceptions import ToolError

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.server import build
from homelab_mcp.tools.toolsets import TOOLSETS
from homelab_mcp.workflow.init_lab import init_lab
from tests.e2e.server import PIN, Era, words

# A sentence with its end, a way out with its end, the code.
SAID = re.compile(r"[A-Z][^\n]*[.?!] [^\n]+[.?!`)] \[[a-z_]+\]", re.DOTALL)

CALLS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("add_service", {"service": "no-such-thing"}, "unknown_service"),
    ("add_service", {}, "invalid_arguments"),
    ("apply_plan", {"plan_id": "none-such-plan"}, "plan_unknown"),
    ("get_plan", {"plan_id": "none-such-plan"}, "plan_unknown"),
    ("add_servce", {"service": "plex"}, "tool_unknown"),
)


async def test_every_failure_reads_as_a_sentence_a_way_out_and_a_code_in_both_eras(tmp_path: Path) -> None:
    lab = open_lab(str(tmp_path / "stacks"), files_only=True)
    init_lab(lab, {"domain": "lab.test", "email": "person@example.org", "acme.challenge": "tls"}, PIN)
    eras: tuple[Era, ...] = ("legacy", "auto")
    for era in eras:
        async with Client(build(lab), mode=era) as client:
            for tool, arguments, code in CALLS:
                result = await client.call_tool(tool, arguments)
                said = words(result)
                assert result.is_error, tool
                assert "Error executing" not in said, said
                assert SAID.fullmatch(said), said
                assert said.endswith(f"[{code}]"), said


async def test_what_a_client_adds_to_every_call_by_itself_is_passed_over(tmp_path: Path) -> None:
    lab = open_lab(str(tmp_path / "stacks"), files_only=True)
    init_lab(lab, {"domain": "lab.test", "email": "person@example.org", "acme.challenge": "tls"}, PIN)
    async with Client(build(lab)) as client:
        own = {"toolCallId": "call_0", "sessionId": "s"}
        assert not (await client.call_tool("lab_status", own)).is_error
        wrong = await client.call_tool("lab_status", {**own, "stak": "media"})
        assert "'stak'" in words(wrong)
        assert "toolCallId" not in words(wrong)


async def test_a_crash_is_told_without_its_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = build(open_lab(str(tmp_path / "stacks"), files_only=True))

    async def crashes() -> str:
        raise AssertionError("the-inside-of-it")

    async def refuses() -> str:
        raise ToolError("No. Try another day. [not_today]")

    server.add_tool(crashes, name="crashes", description="x")
    server.add_tool(refuses, name="refuses", description="x")
    async with Client(server) as other:
        crash = words(await other.call_tool("crashes", {}))
        assert words(await other.call_tool("refuses", {})) == "No. Try another day. [not_today]"
    assert crash.startswith("homelab-mcp met an error it does not know (reference ")
    assert "the-inside-of-it" not in crash
    assert "the-inside-of-it" in caplog.text


async def test_every_tool_of_a_set_is_one(tmp_path: Path) -> None:
    named = {tool for tools in TOOLSETS.values() for tool in tools}
    assert named == {tool.name for tool in await build(open_lab(str(tmp_path))).list_tools()}
