"""Tools ``history`` and ``rollback``: what was applied, and taking it back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import fitting, next_offset
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result


class Apply(BaseModel):
    """One apply: ``when`` in Unix seconds, ``seen`` what was verified."""

    plan_id: str
    when: int
    state: str
    summary: str
    asked_by: str
    approved_by: str
    commit: str
    seen: list[str]


class HistoryOutput(BaseModel):
    """Applies, newest first."""

    applies: list[Apply]
    next_offset: int | None = None


def register_history(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool ``history``."""

    @guarded
    async def history(
        limit: Annotated[int, Field(ge=1, le=100)] = 15, offset: Annotated[int, Field(ge=0, le=100_000)] = 0
    ) -> Annotated[CallToolResult, HistoryOutput]:
        from homelab_mcp.queries.history import history as ask

        rows = await in_thread(ask, lab, limit + 1, offset)
        applies = [Apply(**{**row, "when": int(row["when"])}) for row in rows[:limit]]

        def page(count: int) -> HistoryOutput:
            more = next_offset(offset, count, offset + len(rows))
            return HistoryOutput(applies=applies[:count], next_offset=more)

        return result(fitting(page, len(applies)))

    server.add_tool(
        history,
        name="history",
        title="What was applied",
        description="Applied plans, newest first: what, when, who asked and approved, how it ended and what was "
        "verified. For 'what changed since yesterday'; rollback takes one back.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def register_rollback(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool ``rollback``."""

    @guarded
    async def rollback(
        ctx: Context[Any],
        plan_id: Annotated[str, Field(description="The applied plan (see history).", min_length=8, max_length=64)],
        to: Annotated[
            Literal["only", "before", "after"],
            Field(description="before/after: that point in time; later plans go too."),
        ] = "only",
        stack: Annotated[str, Field(description="Only this stack.", max_length=80)] = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.proposals import propose_rollback

        point = "" if to == "only" else to
        plan = await in_thread(propose_rollback, lab, plan_id, requester(ctx), to=point, stack=stack)
        return await plan_result(lab, plan)

    server.add_tool(
        rollback,
        name="rollback",
        title="Plan taking an apply back",
        description="Plan to take an apply back, or put files and containers as they were at that time. Changes "
        "nothing: returns a plan for apply_plan. Data in volumes stays as it is.",
        annotations=PLAN_ONLY,
    )
