"""``homelab-mcp approve``: a person's answer to a plan, given where no model can give it."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import FAILED, JsonFlag, console, emit, lab_of, who
from homelab_mcp.cli.plan_flow import PinFile, apply_and_follow, plan_of, read_pin, show_view


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def approve(
        ctx: typer.Context,
        plan_id: Annotated[str, typer.Argument(help="The plan's id.")],
        decline: Annotated[bool, typer.Option("--decline", help="Say no instead.")] = False,
        reason: Annotated[str, typer.Option(help="Kept in the journal.")] = "",
        apply: Annotated[bool, typer.Option("--apply", help="Apply it right after the yes.")] = False,
        pin_file: PinFile = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Show a plan, ask for the approval PIN, and record the yes (or, with --decline, the no)."""
        from homelab_mcp.workflow.assembly import approvals
        from homelab_mcp.workflow.plan_view import view

        lab = lab_of(ctx)
        plan = plan_of(lab, plan_id)
        if not as_json:
            show_view(view(plan, approvals(lab).state(plan_id), lab.clock.now(), policy=lab.policy, root=lab.root))
        pin = read_pin(pin_file)
        if not pin:
            console(error=True).print("No PIN given: nothing was recorded.")
            raise typer.Exit(FAILED)
        approvals(lab).out_of_band(plan_id, pin, who=who(), approved=not decline, reason=reason)
        if apply and not decline:
            raise typer.Exit(apply_and_follow(lab, plan_id, as_json=as_json))
        shown = view(plan, approvals(lab).state(plan_id), lab.clock.now(), full=False, policy=lab.policy, root=lab.root)
        emit(
            shown.model_dump(mode="json", exclude_none=True),
            as_json,
            lambda: console().print("Declined." if decline else f"Approved. Next: homelab-mcp apply {plan_id}"),
        )
