"""Tools ``check_certs`` and ``renew_certs``."""

from __future__ import annotations

import re
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result

Host = Annotated[str, Field(max_length=253)]
_HOST = re.compile(r"[A-Za-z0-9.*_-]+")


class CertsOutput(BaseModel):
    """``verdict`` ok, soon, bad or unseen; served certificates by route, stored ones, errors, ranked reasons."""

    model_config = ConfigDict(extra="allow")

    verdict: str


def register_check(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def check_certs(
        hosts: Annotated[list[Host], Field(description="Empty: every route.", max_length=20)] = [],  # noqa: B006
        days: Annotated[int, Field(description="Fewer days left count as expiring.", ge=0, le=365)] = 14,
    ) -> Annotated[CallToolResult, CertsOutput]:
        from homelab_mcp.queries.check_certs import check_certs as ask

        if odd := [h for h in hosts if not _HOST.fullmatch(h)]:
            raise InvalidInput(
                f"{len(odd)} of the names can be no host's.", hint="Name hosts such as sonarr.example.org, or none."
            )
        return result(CertsOutput.model_validate(await in_thread(ask, lab, hosts, days)))

    server.add_tool(
        check_certs,
        name="check_certs",
        title="Check certificates",
        description="HTTPS certificates: what each route serves (expiry, names, issuer, trust), what Traefik stored, "
        "resolver errors, rate limits, and ranked reasons with fixes.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def register_renew(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def renew_certs(
        ctx: Context[Any],
        names: Annotated[list[Host], Field(description="Empty: those that are due.", max_length=20)] = [],  # noqa: B006
        force: Annotated[bool, Field(description="Also when not due or near a rate limit.")] = False,
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_certs import propose_renew_certs

        plan = await in_thread(propose_renew_certs, lab, names, requester(ctx), force=force)
        return await plan_result(lab, plan)

    server.add_tool(
        renew_certs,
        name="renew_certs",
        title="Plan renewing certificates",
        description="Plan to have Traefik renew certificates, verified by what is then served, else the old ones are "
        "put back. Traefik renews by itself: only for one that failed to; check_certs first. Changes nothing: returns "
        "a plan.",
        annotations=PLAN_ONLY,
    )
