"""``homelab-mcp trial``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(trial)


def trial(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="A service of the catalog; or give --image.")] = "",
    image: Annotated[str, typer.Option(help="An image in place of a service.")] = "",
    command: Annotated[str, typer.Option(help="With --image: its arguments, as one text.")] = "",
    env: Annotated[list[str] | None, typer.Option("--env", "-e", help="NAME=VALUE; again for more.")] = None,
    seconds: Annotated[int, typer.Option(help="The longest it runs, 5 to 300; a healthy one ends sooner.")] = 60,
    internet: Annotated[bool, typer.Option("--internet", help="Let it out of its own network.")] = False,
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to run something once beside the lab, tell how it did, and remove it."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_trial import propose_trial

    values = {
        "service": service,
        "image": image,
        "command": command,
        "environment": dict(one.partition("=")[::2] for one in env or ()),
        "seconds": seconds,
        "internet": internet,
    }
    lab = lab_of(ctx)
    plan = propose_trial(lab, values, Requester("cli"))
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
