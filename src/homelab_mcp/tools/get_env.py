"""Tool ``get_env``."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.shape import guarded, in_thread, result


class EnvOutput(BaseModel):
    """``variables`` of one stack or ``stacks`` with counts; ``problems`` with check. Never a value."""

    model_config = ConfigDict(extra="allow")


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def get_env(
        stack: Annotated[str, Field(description="Empty: overview; '.': global.env.", max_length=80)] = "",
        check: Annotated[bool, Field(description="Also what is wrong.")] = False,
    ) -> Annotated[CallToolResult, EnvOutput]:
        from homelab_mcp.queries.get_env import get_env as ask

        return result(EnvOutput.model_validate(await in_thread(ask, lab, stack, check=check)))

    server.add_tool(
        get_env,
        name="get_env",
        title="List variables",
        description="A stack's .env variables: set, empty, default or unset, secret or not, used by whom; with check "
        "also missing, unused, malformed, weak and reused ones. Values are never shown. Change with set_env.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
