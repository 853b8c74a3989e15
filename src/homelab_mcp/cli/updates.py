"""``homelab-mcp updates`` and ``upgrade``."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

Names = Annotated[list[str] | None, typer.Argument(help="service or stack/service; none: all.")]
Stack = Annotated[str, typer.Option(help="Only this stack.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(updates)
    app.command()(upgrade)


def updates(
    ctx: typer.Context,
    services: Names = None,
    stack: Stack = "",
    show_all: Annotated[bool, typer.Option("--all", help="Also those that are current.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask the registries which services have a newer image. Pulls nothing."""
    from homelab_mcp.queries.check_updates import check_updates

    found = check_updates(lab_of(ctx), stack, services or ())
    shown = [f for f in found if show_all or f.state != "current"]

    def show() -> None:
        out = console()
        for one in shown:
            then = f" -> {one.newest} ({one.level})" if one.newest else ""
            why = f": {one.why}" if one.why else ""
            out.print(f"{one.state:8} {one.stack}/{one.service}  {one.image}{then}{why}", markup=False)
            if one.changelog and one.newest:
                out.print(f"         {one.changelog}", style="dim", markup=False)
        current = sum(f.state == "current" for f in found)
        out.print(f"{current} of {len(found)} are current. Next: homelab-mcp upgrade", style="dim")

    emit([dataclasses.asdict(f) for f in shown], as_json, show)


def upgrade(
    ctx: typer.Context,
    services: Annotated[
        list[str] | None, typer.Argument(help="service, stack/service, or either with =TAG; none: all.")
    ] = None,
    stack: Stack = "",
    level: Annotated[str, typer.Option(help="patch, minor or major: the largest step.")] = "minor",
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to take services to newer images, all or none."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_updates import propose_updates

    lab = lab_of(ctx)
    plan = propose_updates(lab, services or [], Requester("cli"), stack=stack, most=level)
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
