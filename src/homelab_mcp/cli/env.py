"""``homelab-mcp env``: a stack's variables."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from homelab_mcp.cli.common import FAILED, OK, HostOption, JsonFlag, console, emit, lab_of, seen
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

StackName = Annotated[str, typer.Argument(help="The stack; . is global.env, for all stacks.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="List, check, set, rotate or unset variables; values are never shown.", no_args_is_help=True
    )
    app.add_typer(group, name="env")

    @group.command("list")
    def list_names(
        ctx: typer.Context,
        stack: Annotated[str, typer.Argument(help="The stack, or . for global.env; all when left out.")] = "",
        host: HostOption = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Names of variables, whether each has a value, and who uses it."""
        from homelab_mcp.queries.get_env import get_env

        lab, _ = seen(lab_of(ctx), host, stack=stack)
        found = get_env(lab, stack)
        emit({"stack": stack, **found}, as_json, lambda: _show(found))

    @group.command()
    def check(
        ctx: typer.Context,
        stack: Annotated[str, typer.Argument(help="The stack, or . for global.env; all when left out.")] = "",
        host: HostOption = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Say what is missing, empty, unused, malformed, weak or used twice; exit code 1 for errors."""
        from homelab_mcp.queries.get_env import get_env

        lab, _ = seen(lab_of(ctx), host, stack=stack)
        found = get_env(lab, stack, check=True)
        emit({"stack": stack, **found}, as_json, lambda: _show_problems(found))
        raise typer.Exit(FAILED if found["counts"].get("error") else OK)

    @group.command()
    def rotate(
        ctx: typer.Context,
        stack: StackName,
        names: Annotated[list[str], typer.Argument(metavar="NAME")],
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to give secrets new random values; one that needs more than that is refused with what to do."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_env import propose_rotate

        lab = lab_of(ctx)
        plan = propose_rotate(lab, stack, names, Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

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
        from homelab_mcp.workflow.proposals import env_changes
        from homelab_mcp.workflow.propose_env import propose_env

        lab = lab_of(ctx)
        given = dict(v.split("=", 1) for v in values if "=" in v)
        bare = [v for v in values if "=" not in v]
        if not generate:
            given |= {name: typer.prompt(f"Value of {name}", hide_input=True, err=True) for name in bare}
        changes = env_changes(lab, given, bare if generate else [], [], from_model=False)
        plan = propose_env(lab, stack, changes, Requester(via="cli"))
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
        from homelab_mcp.workflow.proposals import env_changes
        from homelab_mcp.workflow.propose_env import propose_env

        lab = lab_of(ctx)
        plan = propose_env(lab, stack, env_changes(lab, {}, [], names, from_model=False), Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _show(found: dict[str, Any]) -> None:
    for row in found.get("stacks", ()):
        open_names = [f"{state}: {', '.join(row[state])}" for state in ("empty", "unset") if state in row]
        told = "; ".join([f"{row.get('set', 0)} set", *open_names, *([row["problem"]] if "problem" in row else [])])
        console().print(f"{'global.env' if row['stack'] == '.' else row['stack']:<24} {told}")
    for row in found.get("variables", ()):
        state = "" if row["state"] == "set" else f"  ({row['state']})"
        kind = "  secret" if row.get("secret") else ""
        console().print(f"{row['name']}{state}{kind}  {', '.join(row['used_by']) or 'unused'}")
    if "problem" in found:
        console().print(f"! {found['problem']}")


def _show_problems(found: dict[str, Any]) -> None:
    for row in found["problems"]:
        place = f"{row['stack']}/{row['name']}" if "name" in row else row["stack"]
        console().print(f"{row['level']:<8} {place}: {row['text']} {row['fix']}")
    if not found["problems"]:
        console().print("Nothing is wrong with the variables.")
