"""Tools ``check_updates`` and ``update_images``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import fitting
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result

_MOST = 60


class UpdatesOutput(BaseModel):
    """``images`` are those that are not current, first those with an update."""

    images: list[dict[str, Any]]
    current: int
    total: int
    left_out: int


def register_check(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``check_updates``."""

    @guarded
    async def check_updates(
        stack: Annotated[str, Field(description="Only this one.", max_length=80)] = "",
        services: Annotated[list[str], Field(description="Only these; service or stack/service.")] = [],  # noqa: B006
    ) -> Annotated[CallToolResult, UpdatesOutput]:
        from homelab_mcp.queries.check_updates import check_updates as ask
        from homelab_mcp.queries.security_notes import with_security

        found = await in_thread(ask, lab, stack, services)
        found = await in_thread(with_security, lab, found)
        order = {"update": 0, "moved": 1, "unknown": 2, "pinned": 3, "ignored": 4}
        open_ = sorted((f for f in found if f.state in order), key=lambda f: (order[f.state], f.stack, f.service))
        rows = [{k: v for k, v in f.as_row().items() if v} for f in open_[:_MOST]]

        def page(count: int) -> UpdatesOutput:
            return UpdatesOutput(
                images=rows[:count],
                current=sum(f.state == "current" for f in found),
                total=len(found),
                left_out=len(open_) - count,
            )

        return result(fitting(page, len(rows)))

    server.add_tool(
        check_updates,
        name="check_updates",
        title="Newer images",
        description="Ask the registries which services have a newer image: a newer tag of the same shape (size of the "
        "step, where to read what changed, whether release notes mention security), or a tag that moved. Pulls "
        "nothing.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
        ),
    )


def register_update(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``update_images``."""

    @guarded
    async def update_images(
        ctx: Context[Any],
        services: Annotated[
            list[str], Field(description="service, stack/service or service=tag; empty: all.", max_length=25)
        ] = [],  # noqa: B006
        stack: Annotated[str, Field(description="Only this one.", max_length=80)] = "",
        level: Annotated[
            Literal["patch", "minor", "major"], Field(description="Largest step where no tag is named.")
        ] = "minor",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_updates import propose_updates

        plan = await in_thread(propose_updates, lab, services, requester(ctx), stack=stack, most=level)
        return await plan_result(lab, plan)

    server.add_tool(
        update_images,
        name="update_images",
        title="Plan image updates",
        description="Plan to take several services (a stack, the lab) to newer images at once: all pulled first, all "
        "verified, all back to their former images when one fails. One service's tag alone: update_service.",
        annotations=PLAN_ONLY,
    )
