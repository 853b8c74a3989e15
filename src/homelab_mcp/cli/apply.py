"""``homelab-mcp apply`` and ``homelab-mcp recover``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import COULD_NOT_RUN, FAILED, JsonFlag, console, emit, lab_of, who
from homelab_mcp.cli.plan_flow import apply_and_follow


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def apply(
        ctx: typer.Context, plan_id: Annotated[str, typer.Argument(help="The plan's id.")], as_json: JsonFlag = False
    ) -> None:
        """Apply an approved plan, verify it, and roll it back when it does not hold."""
        raise typer.Exit(apply_and_follow(lab_of(ctx), plan_id, as_json=as_json))

    @app.command()
    def recover(
        ctx: typer.Context,
        as_it_is: Annotated[
            str,
            typer.Option(
                help="A plan's id whose roll-back failed, or whose host is lost: plans go on from what is there."
            ),
        ] = "",
        as_json: JsonFlag = False,
    ) -> None:
        """After a crash: finish or undo the apply that was at work; try a roll-back that failed again."""
        from homelab_mcp.model.plan import PlanState
        from homelab_mcp.workflow.assembly import recovery

        if as_it_is:
            summary = recovery(lab_of(ctx)).accept(as_it_is, who())
            emit(
                {"accepted": {"plan_id": as_it_is, "summary": summary}},
                as_json,
                lambda: console().print(f"Taken as it is: {summary}", markup=False),
            )
            return
        reports = recovery(lab_of(ctx)).recover(retry_failed=True)

        def show() -> None:
            for report in reports:
                console().print(f"{report.plan_id}: {report.outcome}: {report.summary}", markup=False)
                for seen in report.evidence:
                    console().print(f"  {'ok  ' if seen.ok else 'FAIL'} {seen.what}", markup=False)
            if not reports:
                console().print("Nothing to recover.")

        emit(
            {"recovered": [{"plan_id": r.plan_id, "outcome": r.outcome, "summary": r.summary} for r in reports]},
            as_json,
            show,
        )
        outcomes = {r.outcome for r in reports}
        if PlanState.APPLYING in outcomes:
            # Left open: it acted on containers, and Docker does not answer.
            raise typer.Exit(COULD_NOT_RUN)
        if PlanState.FAILED in outcomes:
            raise typer.Exit(FAILED)
