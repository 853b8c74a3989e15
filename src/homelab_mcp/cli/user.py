"""``homelab-mcp user``: people who may log in."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, at_terminal, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

UserName = Annotated[str, typer.Argument(help="The user's name.")]
Groups = Annotated[list[str] | None, typer.Option("--group", help="A group of theirs; give it again for more.")]
Ask = Annotated[bool, typer.Option("--ask", help="Type the password; without it one is made.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="People who may log in through Authelia.", no_args_is_help=True)
    app.add_typer(group, name="user")
    _readers(group)
    _passwords(group)

    @group.command("add")
    def add(
        ctx: typer.Context,
        name: UserName,
        groups: Groups = None,
        display_name: Annotated[str, typer.Option(help="As services show them.")] = "",
        email: Annotated[str, typer.Option(help="For notices.")] = "",
        ask: Ask = False,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to let somebody in."""
        values: dict[str, str | tuple[str, ...]] = {
            "groups": tuple(groups or ()),
            "displayname": display_name,
            "email": email,
        }
        _plan(ctx, "add", name, ask=ask, plan_only=plan_only, as_json=as_json, **values)

    @group.command("groups")
    def set_groups(
        ctx: typer.Context,
        name: UserName,
        groups: Annotated[
            list[str] | None, typer.Argument(help="All groups of theirs; the word none: no group.")
        ] = None,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to set somebody's groups."""
        _plan(ctx, "groups", name, plan_only=plan_only, as_json=as_json, groups=tuple(groups or ()))

    @group.command("reset")
    def reset(
        ctx: typer.Context, name: UserName, ask: Ask = False, plan_only: PlanOnly = False, as_json: JsonFlag = False
    ) -> None:
        """Plan to give somebody a new password."""
        _plan(ctx, "reset_password", name, ask=ask, plan_only=plan_only, as_json=as_json)

    @group.command("remove")
    def remove(ctx: typer.Context, name: UserName, plan_only: PlanOnly = False, as_json: JsonFlag = False) -> None:
        """Plan to remove somebody."""
        _plan(ctx, "remove", name, plan_only=plan_only, as_json=as_json)

    @group.command("disable")
    def disable(ctx: typer.Context, name: UserName, plan_only: PlanOnly = False, as_json: JsonFlag = False) -> None:
        """Plan to keep somebody out without removing them."""
        _plan(ctx, "disable", name, plan_only=plan_only, as_json=as_json)

    @group.command("enable")
    def enable(ctx: typer.Context, name: UserName, plan_only: PlanOnly = False, as_json: JsonFlag = False) -> None:
        """Plan to let somebody in again."""
        _plan(ctx, "enable", name, plan_only=plan_only, as_json=as_json)


def _plan(
    ctx: typer.Context,
    action: str,
    name: str,
    *,
    plan_only: bool,
    as_json: bool,
    ask: bool = False,
    **values: str | tuple[str, ...],
) -> None:
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_sign_on import propose_manage_user

    lab = lab_of(ctx)
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True) if ask else ""
    made = propose_manage_user(lab, Requester(via="cli"), password=password, action=action, name=name, **values)
    raise typer.Exit(proposed(lab, made.plan, as_json=as_json, plan_only=plan_only))


def _readers(group: typer.Typer) -> None:
    @group.command("list")
    def list_users(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """Everyone in Authelia's users file."""
        from homelab_mcp.queries.sign_on import sign_on

        found = sign_on(lab_of(ctx))
        rows = [{"name": u.name, "groups": list(u.groups), "disabled": u.disabled} for u in found.users]

        def show() -> None:
            for user in found.users:
                state = "  (disabled)" if user.disabled else ""
                console().print(f"{user.name}{state}  {', '.join(user.groups) or 'no groups'}")
            for problem in found.problems:
                console(error=True).print(problem)

        emit({"users": rows, "problems": list(found.problems)}, as_json, show)

    @group.command("notice")
    def notice(ctx: typer.Context) -> None:
        """The newest notice that Authelia wrote to its file: the code or link for a second factor or a new password.

        For the person it is meant for. Whoever reads it can use it, so it is shown at a terminal only.
        """
        from homelab_mcp.queries.sign_on import last_notice

        lab = lab_of(ctx)
        _only_people()
        # Past the redactor on purpose: the code is what the person came for.
        typer.echo(last_notice(lab))


def _passwords(group: typer.Typer) -> None:
    @group.command("password")
    def password(ctx: typer.Context, name: UserName) -> None:
        """Show the password that was made for somebody, once: it is deleted with that."""
        from homelab_mcp.model.errors import NotFound

        lab = lab_of(ctx)
        _only_people()
        found = lab.handover.take(name)
        if found is None:
            raise NotFound(
                f"No password waits for {name}.",
                hint=f"It was shown already, or none was made; `homelab-mcp user reset {name}` makes a new one.",
                code="no_password",
            )
        typer.echo(found)
        console(error=True).print("It is gone from here now. It counts once the plan is applied.", style="dim")


def _only_people() -> None:
    """Refuse a program: what follows is for a person's eyes."""
    from homelab_mcp.model.errors import InvalidInput

    if not (at_terminal() and sys.stdout.isatty()):
        raise InvalidInput(
            "This is shown to a person at a terminal only.",
            hint="Run it in a terminal yourself.",
            code="terminal_needed",
        )
