"""Tool ``set_lazy_loading``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester

Short = Annotated[str, Field(max_length=80)]


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def set_lazy_loading(
        ctx: Context[Any],
        service: Annotated[str, Field(description="Compose service name.", min_length=1, max_length=80)],
        state: Literal["on", "off"],
        stack: Annotated[Short, Field(description="Only when several stacks have it.")] = "",
        session: Annotated[Short, Field(description="Awake after the last visit: 30m, 2h.")] = "",
        strategy: Annotated[
            Literal["dynamic", "blocking"], Field(description="Waiting page, or the request waits (APIs).")
        ] = "dynamic",
        theme: Annotated[Short, Field(description="Of the waiting page.")] = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_lazy import propose_lazy_loading

        options = {"session": session, "strategy": strategy, "theme": theme}
        on = state == "on"
        plan = await in_thread(
            propose_lazy_loading, lab, service, stack, on=on, options=options, requester=requester(ctx)
        )
        return await plan_result(lab, plan)

    server.add_tool(
        set_lazy_loading,
        name="set_lazy_loading",
        title="Plan lazy loading",
        description="Plan to stop a service while nobody visits it; the next visit starts it. Refused with the reason "
        "where that would harm. Changes nothing: returns a plan.",
        annotations=PLAN_ONLY,
    )
