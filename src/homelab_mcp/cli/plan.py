"""``homelab-mcp plan``: list plans, or show one."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import plan_of, show_view


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def plan(
        ctx: typer.Context,
        plan_id: Annotated[str, typer.Argument(help="A plan's id; none lists the latest.")] = "",
        limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
        as_json: JsonFlag = False,
    ) -> None:
        """Show one plan whole, or list the latest."""
        from homelab_mcp.workflow.assembly import approvals
        from homelab_mcp.workflow.plan_view import view

        lab = lab_of(ctx)
        now = lab.clock.now()
        if plan_id:
            shown = view(
                plan_of(lab, plan_id),
                approvals(lab).state(plan_id),
                now,
                diff_limit=0,
                policy=lab.policy,
                root=lab.root,
            )
            emit(shown.model_dump(mode="json", exclude_none=True), as_json, lambda: show_view(shown))
            return
        rows = [view(p, approvals(lab).state(p.id), now, full=False) for p, _ in lab.plans.list(limit)]

        def show() -> None:
            for row in rows:
                console().print(f"{row.plan_id}  {row.state:<11} {row.risk:<6} {row.summary}")
            if not rows:
                console().print("No plans yet.")

        emit({"plans": [r.model_dump(mode="json", exclude_none=True) for r in rows]}, as_json, show)
