"""``homelab-mcp policy``: whose yes plans need in this lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Show or check policy.yaml: whose yes plans need.", no_args_is_help=True)
    app.add_typer(group, name="policy")

    @group.command("show")
    def show(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """The policy in force, defaults included."""
        policy = lab_of(ctx).policy
        data = policy.settings.model_dump(mode="json", exclude_none=True)

        def text() -> None:
            out = console()
            for risk, demand in data["approval"].items():
                out.print(f"{risk:<7} {demand if isinstance(demand, str) else ' or '.join(demand)}")
            for rule in data["rules"]:
                out.print("rule    " + ", ".join(f"{k}: {v}" for k, v in rule.items() if v), markup=False)
            for quiet in data["quiet_hours"]:
                days = ",".join(quiet["days"]) or "every day"
                out.print(f"quiet   {quiet['start']}-{quiet['end']} {days}, from {quiet['risk']} risk on")
            out.print(f"plans   live {data['plan_minutes']} minutes, {data['open_plans']} may wait at once")
            if data["read_only"]:
                out.print("read-only: no tool plans or applies")
            for warning in policy.warnings():
                console(error=True).print(f"Looser than the defaults: {warning}", markup=False)

        emit(data, as_json, text)

    @group.command("check")
    def check(
        ctx: typer.Context,
        file: Annotated[str, typer.Argument(help="Another file than the lab's policy.yaml.")] = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Say whether policy.yaml can be read, and where it is looser than the defaults."""
        from homelab_mcp.core.policy_file import parse_policy

        policy = parse_policy(Path(file).read_text(encoding="utf-8")) if file else lab_of(ctx).policy
        warnings = policy.warnings()

        def text() -> None:
            for warning in warnings:
                console().print(f"Looser than the defaults: {warning}", markup=False)
            console().print("The policy can be read.")

        emit({"ok": True, "warnings": list(warnings)}, as_json, text)

    @group.command("schema")
    def schema() -> None:
        """Print the JSON Schema of policy.yaml, for editors."""
        from homelab_mcp.model.policy import PolicySettings

        typer.echo(json.dumps(PolicySettings.model_json_schema(), indent=2))
