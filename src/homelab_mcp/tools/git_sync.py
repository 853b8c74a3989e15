"""Tool ``pull_lab``."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``pull_lab``."""

    @guarded
    async def pull_lab(ctx: Context[Any]) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.git_sync import propose_pull

        return await plan_result(lab, await in_thread(propose_pull, lab, requester(ctx)))

    server.add_tool(
        pull_lab,
        name="pull_lab",
        title="Plan taking the repository's changes",
        description="Fetch the lab's git repository elsewhere (a person sets it: homelab-mcp git remote) and plan to "
        "take what it changed. Refused where both sides changed a file. Sending what is here is a person's: "
        "homelab-mcp git push. For edits made by hand here: resolve_drift.",
        annotations=PLAN_ONLY,
    )
