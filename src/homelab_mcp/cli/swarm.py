"""``homelab-mcp swarm``: the Swarm's nodes, and the stacks that it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

if TYPE_CHECKING:
    from homelab_mcp.model.plan import Requester

Stack = Annotated[str, typer.Argument(help="A stack of the lab.")]
NodeName = Annotated[str, typer.Argument(help="The node's host name.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Docker Swarm: nodes, drain, activate, join, run and take back stacks.", no_args_is_help=True
    )
    app.add_typer(group, name="swarm")
    _looking(group)
    _stacks(group)
    _nodes(group)


def _looking(group: typer.Typer) -> None:
    @group.command()
    def nodes(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """The Swarm's nodes, this machine first, with what runs on each."""
        found = [node.as_dict() for node in lab_of(ctx).swarm.nodes()]
        emit({"nodes": found}, as_json, lambda: _show(found))

    @group.command()
    def show(ctx: typer.Context, stack: Stack) -> None:
        """Print what docker stack deploy is given for a stack, secrets masked; it is nowhere on disk."""
        typer.echo(lab_of(ctx).swarm.stack_file(stack))


def _stacks(group: typer.Typer) -> None:
    @group.command()
    def run(
        ctx: typer.Context,
        stack: Stack,
        replicas: Annotated[
            list[str] | None, typer.Option(help="SERVICE=NUMBER: so many tasks of it; repeat. One where unset.")
        ] = None,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to let Swarm run a stack that Compose runs now: its file, its data, its networks, its routes."""
        from homelab_mcp.workflow.propose_swarm import propose_engine

        lab = lab_of(ctx)
        plan = propose_engine(lab, stack, _person(), replicas=_numbers(replicas or ()))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

    @group.command()
    def back(ctx: typer.Context, stack: Stack, plan_only: PlanOnly = False, as_json: JsonFlag = False) -> None:
        """Plan to let Compose run a stack again, on this machine."""
        from homelab_mcp.workflow.propose_swarm import propose_engine

        lab = lab_of(ctx)
        plan = propose_engine(lab, stack, _person(), back=True)
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _nodes(group: typer.Typer) -> None:
    @group.command()
    def drain(ctx: typer.Context, node: NodeName, plan_only: PlanOnly = False, as_json: JsonFlag = False) -> None:
        """Plan to move every task off a node, for an update or repair; says what is bound to it and stops."""
        raise typer.Exit(_node(ctx, "drain", node, as_json=as_json, plan_only=plan_only))

    @group.command()
    def activate(ctx: typer.Context, node: NodeName, plan_only: PlanOnly = False, as_json: JsonFlag = False) -> None:
        """Plan to let a drained node take tasks again."""
        raise typer.Exit(_node(ctx, "activate", node, as_json=as_json, plan_only=plan_only))

    @group.command()
    def join(
        ctx: typer.Context,
        host: Annotated[str, typer.Argument(help="A Docker host of hosts.yaml.")],
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to have a Docker host join as a worker; the token goes from engine to engine and is nowhere kept."""
        raise typer.Exit(_node(ctx, "join", host, as_json=as_json, plan_only=plan_only))


def _node(ctx: typer.Context, action: str, name: str, *, as_json: bool, plan_only: bool) -> int:
    from homelab_mcp.workflow.propose_swarm import propose_node

    lab = lab_of(ctx)
    return proposed(lab, propose_node(lab, action, name, _person()), as_json=as_json, plan_only=plan_only)


def _person() -> Requester:
    from homelab_mcp.model.plan import Requester

    return Requester(via="cli")


def _numbers(given: list[str] | tuple[str, ...]) -> dict[str, int]:
    from homelab_mcp.model.errors import InvalidInput

    found = {}
    for word in given:
        name, equals, number = word.partition("=")
        if not equals or not number.isdigit():
            raise InvalidInput(f"{word[:60]!r} is no SERVICE=NUMBER.", hint="For example: --replicas web=2")
        found[name] = int(number)
    return found


def _show(found: list[dict[str, Any]]) -> None:
    out = console()
    for node in found:
        here = " (this machine)" if node["here"] else ""
        words = [str(node["role"]), str(node["availability"]), str(node["state"]), str(node["address"])]
        out.print(f"{node['name']}{here}  {'  '.join(w for w in words if w)}", markup=False)
        tasks = ", ".join(f"{name} ({count})" for name, count in node["tasks"].items())
        out.print(f"  {tasks or 'no task'}", markup=False, style="dim")
