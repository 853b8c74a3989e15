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
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to remove a service and its companions; their data stays."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.proposals import propose_remove_service

        lab = lab_of(ctx)
        plan = propose_remove_service(lab, service, stack, Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
