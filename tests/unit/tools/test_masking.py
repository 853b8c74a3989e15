"""The server's edge, over every tool of the registry: one that is added later is tried without a word here."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent

from homelab_mcp.adapters.masked_output import MaskedWriter
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.redact import MASK, Redactor
from homelab_mcp.server import build
from tests.canaries import Hunt, make

VALUES = make(40)
TOOLS = [t.name for t in build(open_lab("/nowhere", files_only=True))._tool_manager.list_tools()]


def lab(root: Path) -> Any:
    from homelab_mcp.core.env_file import quote

    (root / "media").mkdir(exist_ok=True)
    (root / "media/.env").write_text("".join(f"{n}={quote(v)}\n" for n, v in VALUES.items()))
    return open_lab(str(root), files_only=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> MCPServer[Any]:
    """One for all: a test puts its own leak in the place of the tool that it asks."""
    return build(lab(tmp_path_factory.mktemp("lab")))


def everything() -> dict[str, Any]:
    return {"lines": [f"x {v} y" for v in VALUES.values()], "deep": {"a": [{"b": json.dumps(VALUES)}]}, "n": 1}


@pytest.mark.parametrize("how", ["answer", "plain", "error", "crash", "progress"])
@pytest.mark.parametrize("name", TOOLS)
async def test_no_tool_can_let_a_secret_out(server: MCPServer[Any], name: str, how: str) -> None:
    tool = server._tool_manager.get_tool(name)
    assert tool is not None
    body = everything()

    async def leak(*_: Any, **__: Any) -> CallToolResult:
        if how == "error":
            raise ToolError(f"it said {json.dumps(body)}")
        if how == "crash":
            raise RuntimeError(f"it said {body}")
        if how == "progress":
            await context[0].report_progress(1, None, f"step {json.dumps(body)}")
        text = json.dumps(body) if how == "answer" else f"it said {body}"
        structured = body if how == "answer" else None
        return CallToolResult(
            content=[TextContent(type="text", text=text)], structured_content=structured, is_error=how == "plain"
        )

    context: list[Context[Any]] = []

    async def run(arguments: Any, ctx: Context[Any], **__: Any) -> CallToolResult:
        context.append(ctx)
        return await leak()

    object.__setattr__(tool, "run", run)
    heard: list[str] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    hunt = Hunt(VALUES)
    async with Client(server) as client:
        try:
            result = await client.call_tool(name, {}, progress_callback=progress)
        except Exception as error:  # noqa: BLE001 - whatever form the refusal has, it is looked at
            hunt.look(how, str(error))
        else:
            hunt.look(how, result.model_dump_json())
            text = result.content[0].text  # type: ignore[union-attr]
            assert MASK in text
            if how == "answer":
                assert json.loads(text) == result.structured_content
                assert result.structured_content["n"] == 1
    hunt.look("progress", "\n".join(heard))
    assert bool(heard) is (how == "progress")
    assert hunt.bytes > 100
    assert not hunt.found, hunt.found[:3]


async def test_a_prompt_and_an_unknown_method_are_masked_too(tmp_path: Path) -> None:
    value = VALUES["C000_PASSWORD"]
    hunt = Hunt(VALUES)
    async with Client(build(lab(tmp_path))) as client:
        for prompt in (await client.list_prompts()).prompts:
            arguments = {a.name: f"is {value} right" for a in prompt.arguments or ()}
            hunt.look(prompt.name, (await client.get_prompt(prompt.name, arguments)).model_dump_json())
        for call in (lambda: client.get_prompt(value, {}), lambda: client.read_resource(f"x://{value}")):
            with pytest.raises(Exception) as error:
                await call()
            hunt.look("error", str(error.value))
    assert hunt.bytes > 200
    assert not hunt.found, hunt.found


def test_stderr_masks_records_with_their_tracebacks() -> None:
    redactor = Redactor(VALUES.values())
    inner = io.StringIO()
    writer = MaskedWriter(inner, lambda: redactor, named=True)
    log = logging.Logger("test")
    log.addHandler(logging.StreamHandler(writer))
    for value in VALUES.values():
        try:
            raise ValueError(f"bad {value}")
        except ValueError:
            log.exception("while doing %s with %r", value, {"password": value})
    writer.close_stream()
    hunt = Hunt(VALUES)
    hunt.look("stderr", inner.getvalue())
    assert inner.getvalue().count("Traceback") == len(VALUES)
    assert not hunt.found, hunt.found[:3]
