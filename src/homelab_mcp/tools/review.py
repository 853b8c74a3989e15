"""Tools ``review_changes`` and ``resolve_drift``: what was changed by hand, and what becomes of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result

DIFF_LIMIT = 9_000
_MOST = 40


class ReviewOutput(BaseModel):
    """A line each; ``findings`` are new ones."""

    clean: bool
    files: list[str]
    diff: str
    findings: list[str]
    containers: list[str]
    notes: list[str]


def register_review(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool ``review_changes``."""

    @guarded
    async def review_changes(
        stack: Annotated[str, Field(description="Only this one.", max_length=80)] = "",
    ) -> Annotated[CallToolResult, ReviewOutput]:
        from homelab_mcp.queries.review import review

        def ask() -> ReviewOutput:
            return ReviewOutput(**shortened(review(lab, stack).as_dict()))

        return result(await in_thread(ask))

    server.add_tool(
        review_changes,
        name="review_changes",
        title="What was changed by hand",
        description="What people changed by hand since the last commit (diff, new lint findings), and where containers "
        "differ from their files: differs, missing, stopped, orphan. Values of variables are never shown. "
        "resolve_drift adopts or undoes it.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def register_resolve(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool ``resolve_drift``."""

    @guarded
    async def resolve_drift(
        ctx: Context[Any],
        stack: Annotated[str, Field(description="Or . for the lab's own files.", min_length=1, max_length=80)],
        how: Literal["adopt", "undo"],
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.proposals import propose_resolve_drift

        plan = await in_thread(propose_resolve_drift, lab, stack, how, requester(ctx))
        return await plan_result(lab, plan)

    server.add_tool(
        resolve_drift,
        name="resolve_drift",
        title="Plan adopting or undoing hand-made changes",
        description="Plan to adopt a stack's hand-made changes (commit the files as they are, bring containers up to "
        "them) or undo them (files as last committed). Ask the person which. Changes nothing: returns a plan for "
        "apply_plan.",
        annotations=PLAN_ONLY,
    )


def shortened(found: dict[str, Any]) -> dict[str, Any]:
    """The review cut to what a client takes in one answer; what was cut is noted."""
    notes = list(found["notes"])
    for key in ("files", "findings", "containers"):
        if len(found[key]) > _MOST:
            notes.append(f"{len(found[key]) - _MOST} more {key}: homelab-mcp review")
            found[key] = found[key][:_MOST]
    diff = found["diff"]
    if len(diff) > DIFF_LIMIT:
        found["diff"] = diff[:DIFF_LIMIT].rsplit("\n", 1)[0] + "\n…\n"
        notes.append(f"{len(diff) - DIFF_LIMIT} more characters of diff: homelab-mcp review")
    return {**found, "notes": notes[:_MOST]}
