"""``homelab-mcp host standby``: the core once more on another host, in case this machine is lost."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(group: typer.Typer) -> None:
    """Add the command to the group ``host``."""

    @group.command()
    def standby(
        ctx: typer.Context,
        host: Annotated[str, typer.Argument(help="A Docker host of hosts.yaml.")],
        activate: Annotated[bool, typer.Option("--activate", help="Start it: this machine's core is down.")] = False,
        deactivate: Annotated[bool, typer.Option("--deactivate", help="Stop it: this machine's core is back.")] = False,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to bring Traefik and the log-in, with certificates and users, to a host, ready and not started."""
        from homelab_mcp.model.errors import InvalidInput
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_standby import propose_standby

        if activate and deactivate:
            raise InvalidInput("--activate and --deactivate at once.", hint="Give one of them.", code="bad_options")
        wish = "activate" if activate else "deactivate" if deactivate else "sync"
        lab = lab_of(ctx)
        plan = propose_standby(lab, host, Requester(via="cli"), wish)
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
