"""Tool ``set_env``."""

from __future__ import annotations

from typing import Annotated, Any

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
    async def set_env(
        ctx: Context[Any],
        stack: Annotated[
            str, Field(description="Whose .env; '.' is global.env, for all stacks.", min_length=1, max_length=80)
        ],
        values: Annotated[
            dict[str, str], Field(description="Non-secret variables to set, by name.", max_length=50)
        ] = {},  # noqa: B006
        generate: Annotated[
            list[str], Field(description="Names to give a new random secret; the value is never shown.", max_length=20)
        ] = [],  # noqa: B006
        unset: Annotated[list[str], Field(description="Names to remove.", max_length=50)] = [],  # noqa: B006
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.proposals import env_changes
        from homelab_mcp.workflow.propose_env import propose_env

        changes = env_changes(lab, values, generate, unset, from_model=True)
        plan = await in_thread(propose_env, lab, stack, changes, requester(ctx))
        return await plan_result(lab, plan)

    server.add_tool(
        set_env,
        name="set_env",
        title="Plan changing a stack's variables",
        description="Plan to set, generate or unset variables in a stack's .env and recreate the services that use "
        "them. Changes nothing: returns a plan for apply_plan. Never pass passwords or keys: use generate, or let the "
        "person run `homelab-mcp env set STACK NAME`. Values are never read back.",
        annotations=PLAN_ONLY,
    )
