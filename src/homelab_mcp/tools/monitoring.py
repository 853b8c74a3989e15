"""Tool ``setup_monitoring``."""

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
    """Add ``setup_monitoring``."""

    @guarded
    async def setup_monitoring(
        ctx: Context[Any],
        parts: Annotated[
            list[Literal["uptime", "metrics", "dashboards", "logs", "alerts"]],
            Field(description="Small machine: uptime alone.", min_length=1, max_length=5),
        ],
        stack: Annotated[str, Field(description="Where new services go.", max_length=80)] = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_monitoring import propose_monitoring

        plan = await in_thread(propose_monitoring, lab, parts, requester(ctx), stack=stack)
        return await plan_result(lab, plan)

    server.add_tool(
        setup_monitoring,
        name="setup_monitoring",
        title="Plan monitoring",
        description="Plan to watch the lab: uptime (Gatus visits each route), metrics (Prometheus, node exporter, "
        "cAdvisor), dashboards (Grafana), logs (Loki, Alloy), alerts (Alertmanager; a person gives where they go). "
        "What is watched follows the lab from then on.",
        annotations=PLAN_ONLY,
    )
