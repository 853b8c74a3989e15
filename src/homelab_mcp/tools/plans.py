"""Tools ``get_plan`` and ``apply_plan``.

``apply_plan`` asks the person through the client where the client can (MCP elicitation), and takes no argument that
could stand for their yes. The apply itself runs in a process of its own; this call follows it for a while.

Annotations are evaluated here at once (no ``from __future__``): the SDK must see the resolver in them.
"""

from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field, model_validator

from homelab_mcp.model.plan import Plan, PlanState, PlanStatus
from homelab_mcp.ports import Lab
from homelab_mcp.tools.plan_result import PlanOutput, plan_result
from homelab_mcp.tools.shape import can_ask, guarded, in_thread, requester
from homelab_mcp.workflow.approvals import UNKNOWN
from homelab_mcp.workflow.assembly import approvals
from homelab_mcp.workflow.follow import RUNNING, start

FOLLOW_SECONDS = 45.0
"""How long one call follows an apply: below the 60 s after which common clients give up."""

POLL_SECONDS = 0.2

PlanId = Annotated[str, Field(description="The plan_id a tool returned.", min_length=8, max_length=64)]


class Confirmation(BaseModel):
    """What the person types into the client's dialog."""

    name: str = Field(
        title="Name", description="Type the name shown above to approve this plan.", json_schema_extra={"minLength": 1}
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_typed(cls, given: Any) -> Any:
        # A client that accepts the form by itself, empty, has given no answer: it is told how a person can approve,
        # and not that its form has a fault.
        name = given.get("name") if isinstance(given, dict) else None
        return {"name": name if isinstance(name, str) else ""}


class NotAsked(Confirmation):
    """No question was put to anybody: this call relies on an answer given elsewhere."""

    name: str = ""


def question(plan: Plan) -> str:
    """The dialog's text: made of server data alone, the same at each round."""
    lines = [
        plan.draft.summary,
        f"Risk: {plan.risk.word}. " + " ".join(plan.reasons[:3]),
        "Files: " + ", ".join(e.path for e in plan.draft.edits[:8]),
        f"Plan {plan.id}",
        f"To approve, type: {plan.draft.target}",
    ]
    return "\n".join(line for line in lines if line.strip())


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add both tools to the server."""

    async def ask(plan_id: str, ctx: Context[Any]) -> Elicit[Confirmation] | Confirmation:
        def look() -> tuple[Plan, PlanStatus, bool]:
            plan = lab.plans.get(plan_id)
            desk = approvals(lab)
            return plan, desk.state(plan_id), desk.dialog_allowed(plan) and not desk.asks_nobody(plan)

        try:
            plan, status, allowed = await in_thread(look)
        except Exception:  # noqa: BLE001 - the tool's body meets the same error and tells it properly
            return NotAsked()
        if status.state is not PlanState.PENDING or not allowed or not can_ask(ctx):
            return NotAsked()
        return Elicit(question(plan), Confirmation)

    @guarded
    async def apply_plan(
        ctx: Context[Any],
        plan_id: PlanId,
        answer: Annotated[ElicitationResult[Confirmation], Resolve(ask)],
    ) -> Annotated[CallToolResult, PlanOutput]:
        plan = await in_thread(lab.plans.get, plan_id)
        client = requester(ctx).name
        desk = approvals(lab)
        if not isinstance(answer, AcceptedElicitation):
            await in_thread(desk.dialog_declined, plan, client)
        elif answer.data.name:
            await in_thread(desk.dialog, plan, answer.data.name, client)
        elif not isinstance(answer.data, NotAsked):
            await in_thread(desk.dialog_declined, plan, client)
        await in_thread(start, lab, plan_id)
        await _follow(ctx, lab, plan_id, FOLLOW_SECONDS)
        return await plan_result(lab, plan, full=False)

    async def get_plan(
        ctx: Context[Any],
        plan_id: PlanId,
        wait: Annotated[int, Field(description="Seconds to wait for a running apply to end.", ge=0, le=45)] = 0,
        brief: Annotated[bool, Field(description="Leave out diff, actions and findings.")] = False,
    ) -> Annotated[CallToolResult, PlanOutput]:
        # How a plan stands can be told without the key of its contents.
        plan = await in_thread(lab.plans.outline if brief else lab.plans.get, plan_id)
        if wait:
            await _follow(ctx, lab, plan_id, wait)
        return await plan_result(lab, plan, full=not brief)

    server.add_tool(
        guarded(get_plan),
        name="get_plan",
        title="Show a plan",
        description="Show a plan: its diff, risk and findings, whether a person approved it, how its apply stands and "
        "what was verified. With wait, follow a running apply.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
    server.add_tool(
        apply_plan,
        name="apply_plan",
        title="Apply an approved plan",
        description="Carry out a plan that a person approves: in the client's dialog this call opens, or before with "
        "`homelab-mcp approve ID`. Verified after, or rolled back. Safe to call again with the same id: it never "
        "applies twice, and tells where the apply stands. The only tool that changes anything.",
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
        ),
    )


async def _follow(ctx: Context[Any], lab: Lab, plan_id: str, seconds: float) -> None:
    """Report each step as progress until the apply ends or the time is up."""
    desk = approvals(lab)
    last = ""
    count = 0
    with anyio.move_on_after(seconds):
        while True:
            status: PlanStatus = await in_thread(desk.state, plan_id)
            said = f"{status.state}: {status.step}" if status.step else str(status.state)
            if said != last:
                count += 1
                last = said
                await ctx.report_progress(count, None, said)
            if status.state not in RUNNING or status.error_code in ("interrupted", UNKNOWN):
                return
            await anyio.sleep(POLL_SECONDS)
