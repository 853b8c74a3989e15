"""Tool ``add_service``."""

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
    async def add_service(
        ctx: Context[Any],
        service: Annotated[str, Field(description="Catalog id or name, e.g. jellyfin.", min_length=1, max_length=80)],
        stack: Annotated[Short, Field(description="Stack to add it to; empty: the service's usual one.")] = "",
        name: Annotated[Short, Field(description="Compose service name; empty: the id.")] = "",
        subdomain: Annotated[Short, Field(description="Host name left of the domain; empty: default.")] = "",
        sso: Annotated[
            Literal["default", "protect", "two_factor", "bypass"],
            Field(description="Log-in in front of it; bypass needs sso_reason."),
        ] = "default",
        sso_reason: Annotated[str, Field(max_length=200)] = "",
        sso_groups: Annotated[list[str], Field(description="Only these groups may pass.", max_length=20)] = [],  # noqa: B006
        vpn: Annotated[
            Literal["default", "on", "off"], Field(description="Route its traffic through the VPN.")
        ] = "default",
        lazy: Annotated[bool, Field(description="Sleep while nobody visits it (needs sablier).")] = False,
        tag: Annotated[str, Field(description="Image tag instead of the pinned one.", max_length=128)] = "",
        variables: Annotated[dict[str, str], Field(description="Non-secret settings by name.", max_length=40)] = {},  # noqa: B006
        host: Annotated[Short, Field(description="Docker host of a new stack; empty: the lab's machine.")] = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.proposals import propose_add_service

        options: dict[str, Any] = {
            "name": name,
            "subdomain": subdomain,
            "sso": None if sso == "default" else sso,
            "sso_reason": sso_reason,
            "sso_groups": tuple(sso_groups),
            "vpn": {"default": None, "on": True, "off": False}[vpn],
            "lazy": lazy,
            "tag": tag,
            "variables": variables,
        }
        plan = await in_thread(propose_add_service, lab, service, stack, options, requester(ctx), host=host)
        return await plan_result(lab, plan)

    server.add_tool(
        add_service,
        name="add_service",
        title="Plan adding a service",
        description="Plan to add a catalog service to a stack with HTTPS route, log-in, limits, health check, "
        "dashboard entry and generated secrets. Changes nothing: returns a plan for apply_plan. Not for services "
        "that are there already.",
        annotations=PLAN_ONLY,
    )
