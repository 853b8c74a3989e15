"""The answer of every tool that makes a plan."""

from __future__ import annotations

from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict

from homelab_mcp.model.plan import Plan
from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import ROOM, weight
from homelab_mcp.tools.shape import in_thread, result
from homelab_mcp.workflow.assembly import approvals
from homelab_mcp.workflow.plan_view import PlanView, view


class PlanOutput(BaseModel):
    """What every client may rely on; the answer holds the rest of ``PlanView`` too.

    ``tools/list`` shows this schema once, with ``get_plan``: a dozen tools return a plan, and every token of the list
    is paid on every turn (``registry.register_all``).
    """

    model_config = ConfigDict(extra="allow")

    plan_id: str
    state: str
    summary: str
    risk: str
    next: str


_SHORTER_DIFFS = (7_000, 5_000, 3_000, 1_500)
"""Characters; quotes, line ends and other letters than English ones take two bytes and more of a result."""

PLAN_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
"""Making a plan changes nothing in the lab, so clients need not ask before it."""


PLAN_OR_ASK = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
"""The same of one that also brings back what a program outside says."""


async def plan_result(lab: Lab, plan: Plan, *, full: bool = True) -> CallToolResult:
    """The plan with its diff, as compact JSON and structured content; the diff is cut to what there is room for."""

    def build() -> PlanView:
        status, now = approvals(lab).state(plan.id), lab.clock.now()
        shown = view(plan, status, now, full=full, policy=lab.policy, root=lab.root)
        for shorter in _SHORTER_DIFFS:
            if weight(shown) <= ROOM:
                break
            shown = view(plan, status, now, full=full, diff_limit=shorter, policy=lab.policy, root=lab.root)
        return shown

    return result(await in_thread(build))
