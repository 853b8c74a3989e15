"""``homelab-mcp access``: who may pass to what, and how log-in works."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Who may pass to which service, and how log-in works.", no_args_is_help=True)
    app.add_typer(group, name="access")
    _planners(group)

    @group.command("list")
    def list_access(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """What each host asks of a visitor."""
        from homelab_mcp.core.access import explained
        from homelab_mcp.queries.sign_on import sign_on

        found = sign_on(lab_of(ctx))
        rows = [
            {"host": r.host, "service": r.where, "policy": r.policy, "groups": list(r.groups), "why": r.why}
            for r in found.routes
        ]

        def show() -> None:
            for route in found.routes:
                console().print(f"{route.host}  {'; '.join(explained(route))}")
            if found.portal and not found.rules_follow:
                console(error=True).print("Authelia has rules of its own alone (see docs/sign-on.md).", style="dim")

        emit({"portal": found.portal, "rules_follow": found.rules_follow, "routes": rows}, as_json, show)


def _planners(group: typer.Typer) -> None:
    @group.command("set")
    def set_policy(
        ctx: typer.Context,
        services: Annotated[list[str], typer.Argument(help="Names, stack/name, stack:NAME or category:NAME.")],
        policy: Annotated[str, typer.Option(help="one_factor, two_factor or bypass; left out: as it is.")] = "keep",
        groups: Annotated[
            list[str] | None, typer.Option("--group", help="Only these pass; 'everyone' lifts it.")
        ] = None,
        reason: Annotated[str, typer.Option(help="Why nobody is asked; needed with bypass.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan what services ask of a visitor."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_sign_on import propose_set_access

        lab = lab_of(ctx)
        values = {"services": tuple(services), "policy": policy, "groups": tuple(groups or ()), "reason": reason}
        plan = propose_set_access(lab, Requester(via="cli"), **values)
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

    @group.command("sign-on")
    def sign_on_settings(
        ctx: typer.Context,
        inactivity: Annotated[str, typer.Option(help="Log out after this long unused, e.g. '1 hour'.")] = "",
        expiration: Annotated[str, typer.Option(help="Log out after this long anyway.")] = "",
        remember_me: Annotated[str, typer.Option(help="The same, with 'remember me' ticked.")] = "",
        notify: Annotated[str, typer.Option(help="file or smtp; left out: as it is.")] = "keep",
        mail_address: Annotated[str, typer.Option(help="Such as submissions://smtp.example.org:465.")] = "",
        mail_sender: Annotated[str, typer.Option(help="Such as 'Lab <lab@example.org>'.")] = "",
        mail_username: Annotated[str, typer.Option(help="Of the mail account; its password is in .env.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan how long sessions last, and how Authelia reaches people."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_sign_on import propose_set_sign_on

        lab = lab_of(ctx)
        plan = propose_set_sign_on(
            lab,
            Requester(via="cli"),
            inactivity=inactivity,
            expiration=expiration,
            remember_me=remember_me,
            notify=notify,
            mail_address=mail_address,
            mail_sender=mail_sender,
            mail_username=mail_username,
        )
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))
