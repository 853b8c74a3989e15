"""Tool ``external_route``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result


class ExternalOutput(BaseModel):
    """What there is (``routes``), or a plan as the other planning tools give it."""

    model_config = ConfigDict(extra="allow")

    routes: list[dict[str, str]] = []
    plan_id: str = ""
    next: str = ""


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def external_route(
        ctx: Context[Any],
        action: Literal["list", "add", "remove"] = "list",
        name: Annotated[str, Field(description="Short name, e.g. nas; also the subdomain.")] = "",
        url: Annotated[str, Field(description="Backend, e.g. https://192.168.1.20:5001.")] = "",
        subdomain: Annotated[str, Field(description="Host name left of the domain; empty: the name.")] = "",
        path: Annotated[str, Field(description="Pass on only this path and below.")] = "",
        sso: Annotated[
            Literal["default", "protect", "two_factor", "bypass"],
            Field(description="Log-in in front; bypass needs sso_reason."),
        ] = "default",
        sso_reason: str = "",
        sso_groups: Annotated[list[str], Field(description="Only these may pass; everyone lifts that.")] = [],  # noqa: B006
        tls: Annotated[
            Literal["default", "verify", "skip", "ca"], Field(description="How an https backend is trusted.")
        ] = "default",
        ca: Annotated[str, Field(description="PEM certificates for tls=ca.")] = "",
        title: Annotated[str, Field(description="Name on the dashboard.")] = "",
    ) -> Annotated[CallToolResult, ExternalOutput]:
        from homelab_mcp.workflow.propose_external import external_rows, propose_external, propose_remove_external

        if action == "list":
            return result(ExternalOutput(routes=await in_thread(external_rows, lab)))
        if action == "remove":
            return await plan_result(lab, await in_thread(propose_remove_external, lab, name, requester(ctx)))
        values = {
            "url": url,
            "subdomain": subdomain,
            "path": path,
            "sso": "" if sso == "default" else sso,
            "sso_reason": sso_reason,
            "sso_groups": tuple(sso_groups),
            "tls": "" if tls == "default" else tls,
            "ca": ca,
            "title": title,
        }
        return await plan_result(lab, await in_thread(propose_external, lab, name, values, requester(ctx)))

    server.add_tool(
        external_route,
        name="external_route",
        title="Routes to devices outside the lab",
        description="List, or plan to add, change or remove, an HTTPS route through the lab's Traefik to a device that "
        "runs elsewhere: NAS, router, Raspberry Pi, Home Assistant. add with a known name changes only what is given. "
        "Changes nothing: returns a plan for apply_plan. Not for containers of this lab.",
        annotations=PLAN_ONLY,
    )
