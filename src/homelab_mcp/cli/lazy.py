"""``homelab-mcp lazy``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


class OnOff(StrEnum):
    """A switch's two ways."""

    ON = "on"
    OFF = "off"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def lazy(
        ctx: typer.Context,
        service: Annotated[str, typer.Argument(help="Compose service name.")],
        state: Annotated[OnOff, typer.Argument(help="on or off.")],
        stack: Annotated[str, typer.Option(help="Its stack; needed only when the name is in several.")] = "",
        session: Annotated[str, typer.Option(help="How long it stays awake after the last visit; 30m.")] = "",
        strategy: Annotated[str, typer.Option(help="dynamic (a waiting page) or blocking (the request waits).")] = "",
        theme: Annotated[str, typer.Option(help="Of the waiting page: ghost, hacker-terminal, matrix, shuffle.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to let a service sleep while nobody visits it, or keep it running again."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_lazy import propose_lazy_loading

        lab = lab_of(ctx)
        options = {"session": session, "strategy": strategy, "theme": theme}
        plan = propose_lazy_loading(
            lab, service, stack, on=state is OnOff.ON, options=options, requester=Requester(via="cli")
        )
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
