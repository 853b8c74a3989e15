"""Each tool's scope, and what a token without it is told."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from mcp.server.mcpserver.exceptions import ToolError

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.token import ALL_SCOPES, Scope, Token
from homelab_mcp.server import build
from homelab_mcp.tools.access import SCOPES, TOKEN_KEY, may_call, require, token_in
from homelab_mcp.tools.plan_result import PLAN_ONLY, PLAN_OR_ASK


def token(*scopes: Scope) -> Token:
    return Token("laptop", "id", scopes, 0.0)


async def test_each_tool_has_the_scope_of_what_it_does(tmp_path: Path) -> None:
    tools = {t.name: t for t in await build(open_lab(str(tmp_path))).list_tools()}
    assert set(tools) == set(SCOPES), "a tool without a scope is closed to every token; a scope without a tool is old"
    for name, tool in tools.items():
        planned = Scope.PLAN if tool.annotations in (PLAN_ONLY, PLAN_OR_ASK) else Scope.READ
        expected = Scope.APPLY if name == "apply_plan" else planned
        assert SCOPES[name] == expected, name


def test_a_tool_that_nobody_gave_a_scope_is_open_to_no_token() -> None:
    assert not may_call("new_tool", ALL_SCOPES)
    with pytest.raises(ToolError, match="insufficient_scope"):
        require("new_tool", token(*ALL_SCOPES))


def test_no_scope_holds_another() -> None:
    for scope in ALL_SCOPES:
        assert {SCOPES[name] for name in SCOPES if may_call(name, (scope,))} == {scope}
    assert not any(may_call(name, ()) for name in SCOPES)


def test_only_the_server_can_say_which_token_came() -> None:
    assert token_in(None) is None
    assert token_in(SimpleNamespace(scope={TOKEN_KEY: "laptop"})) is None
    mine = token(Scope.READ)
    assert token_in(SimpleNamespace(scope={TOKEN_KEY: mine})) is mine
