"""``homelab-mcp env``: a stack's variables."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

StackName = Annotated[str, typer.Argument(help="The stack.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="List, set or unset a stack's variables; values are never shown.", no_args_is_help=True)
    app.add_typer(group, name="env")

    @group.command("list")
    def list_names(ctx: typer.Context, stack: StackName, as_json: JsonFlag = False) -> None:
        """Names of a stack's variables, and whether each has a value."""
        from homelab_mcp.core.env_file import parse

        values = parse(lab_of(ctx).files.read(f"{stack}/.env") or "")
        rows = [{"name": name, "set": bool(value)} for name, value in values.items()]

        def show() -> None:
            for row in rows:
                console().print(f"{row['name']}{'' if row['set'] else '  (empty)'}")

        emit({"stack": stack, "variables": rows}, as_json, show)

    @group.command("set")
    def set_values(
        ctx: typer.Context,
        stack: StackName,
        values: Annotated[
            list[str], typer.Argument(metavar="NAME[=VALUE]", help="Without =VALUE it is asked, unseen.")
        ],
        generate: Annotated[
            bool, typer.Option("--generate", help="Make random values for names without =VALUE.")
        ] = False,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to set variables and recreate the services that use them."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.proposals import env_changes, propose_set_env

        lab = lab_of(ctx)
        given = dict(v.split("=", 1) for v in values if "=" in v)
        bare = [v for v in values if "=" not in v]
        if not generate:
            given |= {name: typer.prompt(f"Value of {name}", hide_input=True, err=True) for name in bare}
        changes = env_changes(lab, given, bare if generate else [], [], from_model=False)
        plan = propose_set_env(lab, stack, changes, Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

    @group.command("unset")
    def unset(
        ctx: typer.Context,
        stack: StackName,
        names: Annotated[list[str], typer.Argument(metavar="NAME")],
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to remove variables."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.proposals import env_changes, propose_set_env

        lab = lab_of(ctx)
        plan = propose_set_env(lab, stack, env_changes(lab, {}, [], names, from_model=False), Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
