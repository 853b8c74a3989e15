"""``homelab-mcp monitoring``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(monitoring)


def monitoring(
    ctx: typer.Context,
    parts: Annotated[list[str], typer.Argument(help="Any of: uptime metrics dashboards logs alerts.")],
    stack: Annotated[str, typer.Option(help="Where new services go; each one's own stack when left out.")] = "",
    notify_file: Annotated[
        str, typer.Option(help="File with the address that gets alerts (Alertmanager's webhook); - reads stdin.")
    ] = "",
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to watch the lab: what is watched follows it from then on.

    For a phone: ntfy takes alerts at https://HOST/TOPIC?template=alertmanager.
    """
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_monitoring import propose_monitoring

    lab = lab_of(ctx)
    plan = propose_monitoring(lab, parts, Requester("cli"), stack=stack, notify_url=_address(notify_file))
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _address(file: str) -> str:
    import sys
    from pathlib import Path

    if not file:
        return ""
    return (sys.stdin.readline() if file == "-" else Path(file).read_text(encoding="utf-8")).strip()
