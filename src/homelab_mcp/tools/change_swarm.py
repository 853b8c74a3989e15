"""Tool ``change_swarm``."""

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
    async def change_swarm(
        ctx: Context[Any],
        action: Annotated[
            Literal["run", "back", "drain", "activate", "join"],
            Field(description="run: Swarm runs the stack; back: Compose does. The others are for a node."),
        ],
        target: Annotated[
            str,
            Field(
                description="Stack for run, back; node for drain, activate; host for join.", min_length=1, max_length=80
            ),
        ],
        replicas: Annotated[dict[str, int], Field(description="For run: service to number of tasks.")] = {},  # noqa: B006 - never changed
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_swarm import propose_engine, propose_node

        if action in ("run", "back"):
            back = action == "back"
            plan = await in_thread(propose_engine, lab, target, requester(ctx), back=back, replicas=replicas)
        else:
            plan = await in_thread(propose_node, lab, action, target, requester(ctx))
        return await plan_result(lab, plan)

    server.add_tool(
        change_swarm,
        name="change_swarm",
        title="Plan a change of the Swarm",
        description="Plan to let Docker Swarm run a stack on several machines, or to drain, activate or add a node. "
        "Says what data binds a service to its node. Changes nothing: returns a plan.",
        annotations=PLAN_ONLY,
    )
