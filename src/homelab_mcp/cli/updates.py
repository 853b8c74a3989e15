"""``homelab-mcp updates`` and ``upgrade``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from homelab_mcp.cli.common import HostOption, JsonFlag, console, emit, lab_of, seen
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

if TYPE_CHECKING:
    from homelab_mcp.queries.check_updates import ImageUpdate

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
    notes: Annotated[bool, typer.Option(help="Ask the projects' repositories whether security is mentioned.")] = True,
    host: HostOption = "",
    as_json: JsonFlag = False,
) -> None:
    """Ask the registries which services have a newer image, and release notes for security. Pulls nothing."""
    from homelab_mcp.queries.check_updates import check_updates
    from homelab_mcp.queries.security_notes import with_security

    lab, named = seen(lab_of(ctx), host, stack=stack, services=services or [])
    found = check_updates(lab, named["stack"], named["services"])
    found = with_security(lab, found) if notes else found
    shown = [f for f in found if show_all or f.state != "current"]

    def show() -> None:
        out = console()
        for one in shown:
            then = f" -> {one.newest} ({one.level})" if one.newest else ""
            why = f": {one.why}" if one.why else ""
            out.print(f"{one.state:8} {one.stack}/{one.service}  {one.image}{then}{why}", markup=False)
            if one.changelog and one.newest:
                out.print(f"         {one.changelog}", style="dim", markup=False)
            if told := _security(one):
                out.print(f"         {told}", style="yellow" if one.security == "yes" else "dim", markup=False)
        current = sum(f.state == "current" for f in found)
        out.print(f"{current} of {len(found)} are current. Next: homelab-mcp upgrade", style="dim")

    emit([f.as_row() for f in shown], as_json, show)


def _security(one: ImageUpdate) -> str:
    ids = f" ({', '.join(one.security_ids)})" if one.security_ids else ""
    match one.security:
        case "yes":
            return f"its release notes mention security{ids}: {one.security_link}"
        case "no":
            return "its release notes mention no security"
        case "unknown":
            return f"whether its release notes mention security is unknown: {one.security_why}"
    return ""


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
