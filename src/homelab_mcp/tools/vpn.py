"""Tools ``set_vpn`` and ``check_vpn``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result

Short = Annotated[str, Field(max_length=80)]


class VpnOutput(BaseModel):
    """Each gateway with its clients, problems and what could not be seen; ``verdict``: ok, bad or unseen."""

    model_config = ConfigDict(extra="allow")

    verdict: str
    gateways: list[dict[str, Any]]


def register_set(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def set_vpn(
        ctx: Context[Any],
        service: Annotated[Short, Field(description="Compose service name; empty: only choose the provider.")] = "",
        state: Annotated[Literal["on", "off", ""], Field(description="With service.")] = "",
        stack: Annotated[Short, Field(description="Only where it is not clear.")] = "",
        provider: Annotated[Short, Field(description="Gateway's VPN provider, e.g. mullvad.")] = "",
        type: Literal["wireguard", "openvpn", ""] = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_vpn import propose_vpn

        asked = {"service": service, "state": state, "stack": stack, "provider": provider, "kind": type}
        plan = await in_thread(propose_vpn, lab, requester(ctx), **asked)
        return await plan_result(lab, plan)

    server.add_tool(
        set_vpn,
        name="set_vpn",
        title="Plan the VPN",
        description="Plan to move a service behind the VPN gateway of its stack or back, or to choose the gateway's "
        "provider. Says which variables the person must set; never takes keys or passwords. Changes nothing: returns "
        "a plan.",
        annotations=PLAN_ONLY,
    )


def register_check(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def check_vpn(
        stack: Annotated[Short, Field(description="Only this stack's gateway.")] = "",
    ) -> Annotated[CallToolResult, VpnOutput]:
        from homelab_mcp.queries.check_vpn import check_vpn as ask

        return result(VpnOutput.model_validate(await in_thread(ask, lab, stack)))

    server.add_tool(
        check_vpn,
        name="check_vpn",
        title="Check the VPN",
        description="Compare the addresses that the host, the VPN gateway and its clients are seen with, look for DNS "
        "leaks and a kill switch that is off. Asks an address service on the internet.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
        ),
    )
