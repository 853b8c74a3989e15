"""``homelab-mcp remove``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def remove(
        ctx: typer.Context,
        service: Annotated[str, typer.Argument(help="Compose service name.")],
        stack: Annotated[str, typer.Option(help="Its stack; needed only when the name is in several.")] = "",
        delete_data: Annotated[
            bool, typer.Option("--delete-data", help="Move its folders to the lab's trash, kept for 30 days.")
        ] = False,
        delete_env: Annotated[
            bool, typer.Option("--delete-env", help="Take variables out of .env that nothing else uses.")
        ] = False,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to remove a service and its companions; their data stays unless asked."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_changes import propose_remove_service

        lab = lab_of(ctx)
        plan = propose_remove_service(
            lab,
            service,
            stack,
            Requester(via="cli"),
            data="delete" if delete_data else "keep",
            env="delete" if delete_env else "keep",
        )
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
