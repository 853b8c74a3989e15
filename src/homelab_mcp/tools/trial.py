"""Tool ``trial_service``."""

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
    """Add ``trial_service``."""

    @guarded
    async def trial_service(
        ctx: Context[Any],
        service: Annotated[str, Field(description="Catalog id; or give image.", max_length=80)] = "",
        image: Annotated[str, Field(description="Image reference; or give service.", max_length=300)] = "",
        command: Annotated[str, Field(description="With image: its arguments.", max_length=2000)] = "",
        environment: Annotated[dict[str, str], Field(description="No secrets.", max_length=60)] = {},  # noqa: B006
        seconds: Annotated[int, Field(description="Longest run.", ge=5, le=300)] = 60,
        internet: Annotated[bool, Field(description="Let it out of its network.")] = False,
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_trial import propose_trial

        values = {
            "service": service,
            "image": image,
            "command": command,
            "environment": environment,
            "seconds": seconds,
            "internet": internet,
        }
        return await plan_result(lab, await in_thread(propose_trial, lab, values, requester(ctx)))

    server.add_tool(
        trial_service,
        name="trial_service",
        title="Plan a throw-away run",
        description="Plan to run a catalog service or an image once beside the lab (own network, no route, port or "
        "host folder, limits), and remove it. After apply_plan the evidence has health, exit code, memory and log. "
        "To keep a service: add_service.",
        annotations=PLAN_ONLY,
    )
