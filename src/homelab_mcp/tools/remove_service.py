"""Tool ``remove_service``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def remove_service(
        ctx: Context[Any],
        service: Annotated[str, Field(description="Compose service name.", min_length=1, max_length=80)],
        stack: Annotated[
            str, Field(description="Its stack; needed only when the name is in several.", max_length=80)
        ] = "",
        data: Annotated[
            Literal["keep", "delete"], Field(description="delete: its folders go to the trash, kept 30 days.")
        ] = "keep",
        env: Annotated[
            Literal["keep", "delete"], Field(description="delete: .env variables that nothing else uses go.")
        ] = "keep",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_changes import propose_remove_service

        plan = await in_thread(propose_remove_service, lab, service, stack, requester(ctx), data=data, env=env)
        return await plan_result(lab, plan)

    server.add_tool(
        remove_service,
        name="remove_service",
        title="Plan removing a service",
        description="Plan to remove a service with its companions, route and dashboard entry. Data and .env values are "
        "kept unless asked. Changes nothing: returns a plan for apply_plan. Not for stopping a service for a while.",
        annotations=PLAN_ONLY,
    )
