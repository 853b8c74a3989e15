"""Tool ``get_env``."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import fitting
from homelab_mcp.tools.shape import guarded, in_thread, result


class EnvOutput(BaseModel):
    """``variables`` of one stack or ``stacks`` with counts; ``problems`` with check; ``next_offset`` for more.

    Never a value.
    """

    model_config = ConfigDict(extra="allow")


def page_of(found: dict[str, Any], offset: int) -> EnvOutput:
    """The part of an answer that one result takes: what is wrong comes first, then stacks or variables.

    A page after the last problem has no word on problems: an empty list would say that there are none.
    """
    kind = "stacks" if "stacks" in found else "variables"
    lists = [name for name in ("problems", kind) if name in found]
    left = [(name, row) for name in lists for row in found[name]][offset:]
    if offset and offset >= len(found.get("problems", ())):
        found = {name: value for name, value in found.items() if name != "problems"}
        lists = [kind]

    def page(count: int) -> EnvOutput:
        shown = {name: [row for whose, row in left[:count] if whose == name] for name in lists}
        more = {"next_offset": offset + count} if count < len(left) else {}
        return EnvOutput.model_validate({**found, **shown, **more})

    return fitting(page, len(left))


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def get_env(
        stack: Annotated[str, Field(description="Empty: overview; '.': global.env.", max_length=80)] = "",
        check: Annotated[bool, Field(description="Also what is wrong.")] = False,
        offset: Annotated[int, Field(description="next_offset of the page before.", ge=0, le=100_000)] = 0,
    ) -> Annotated[CallToolResult, EnvOutput]:
        from homelab_mcp.queries.get_env import get_env as ask

        return result(page_of(await in_thread(ask, lab, stack, check=check), offset))

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
