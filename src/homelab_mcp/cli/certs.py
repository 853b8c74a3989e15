"""``homelab-mcp certs``: look at certificates, renew them, choose how they are got."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from homelab_mcp.cli.common import COULD_NOT_RUN, FAILED, OK, HostOption, JsonFlag, console, emit, lab_of, seen
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

_Hosts = Annotated[list[str] | None, typer.Argument(metavar="[HOST]...", help="All routes when none is named.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Look at certificates, renew them, choose how they are got.", no_args_is_help=True)
    app.add_typer(group, name="certs")

    @group.command()
    def check(
        ctx: typer.Context,
        hosts: _Hosts = None,
        days: Annotated[int, typer.Option(help="Exit with 1 when a certificate has fewer days left.", min=0)] = 14,
        host: HostOption = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Show what each route serves, what Traefik stored, and what is wrong; for cron: exit code 1 when expiring.

        Exit codes: 0 all is well; 1 one is bad or has fewer than --days left; 2 some route did not answer.
        """
        from homelab_mcp.queries.check_certs import check_certs

        lab, _ = seen(lab_of(ctx), host)
        found = check_certs(lab, hosts or (), days)
        emit(found, as_json, lambda: _show(found))
        if found["verdict"] == "bad" or found.get("expiring"):
            raise typer.Exit(FAILED)
        raise typer.Exit(COULD_NOT_RUN if found["verdict"] == "unseen" else OK)

    @group.command()
    def renew(
        ctx: typer.Context,
        names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Those due when none.")] = None,
        force: Annotated[bool, typer.Option("--force", help="Also when not due, or near a rate limit.")] = False,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to renew certificates; done only when the new ones are served, else the old ones are put back."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_certs import propose_renew_certs

        lab = lab_of(ctx)
        plan = propose_renew_certs(lab, names or (), Requester(via="cli"), force=force)
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

    @group.command()
    def configure(
        ctx: typer.Context,
        challenge: Annotated[str, typer.Option(help="dns (one wildcard certificate), http, tls or none.")] = "",
        provider: Annotated[str, typer.Option(help="DNS provider's code, such as duckdns or cloudflare.")] = "",
        staging: Annotated[bool | None, typer.Option(help="The staging CA, for trying things out.")] = None,
        wait: Annotated[int, typer.Option(help="Seconds to wait for DNS records to get about.", min=0)] = 0,
        domain: Annotated[str, typer.Option(help="Another domain for the whole lab.")] = "",
        email: Annotated[str, typer.Option(help="For the CA's account.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to change how certificates are got: settings, Traefik's flags, and what follows from them."""
        from homelab_mcp.model.errors import InvalidInput
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_setup import propose_settings

        given: dict[str, Any] = {
            "acme.challenge": challenge,
            "acme.dns_provider": provider,
            "acme.staging": staging,
            "acme.propagation_wait": wait,
            "domain": domain,
            "email": email,
        }
        # A number of 0 is the option's default here and the setting's own: not given.
        values = {k: v for k, v in given.items() if v is False or v}
        if not values:
            raise InvalidInput("Nothing was asked for.", hint="Give an option; see --help.", code="nothing_to_do")
        lab = lab_of(ctx)
        plan = propose_settings(lab, values, Requester(via="cli"))
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _show(found: dict[str, Any]) -> None:
    out = console()
    for row in found["routes"]:
        left = f"{row['days_left']:>6} days" if "days_left" in row else " " * 11
        out.print(f"{row['status']:<13} {left}  {row['host']}  {row.get('problem', '')}".rstrip())
    for row in found["stored"]:
        state = "due" if row.get("due") else row.get("problem", "kept")
        out.print(f"stored ({state}): {', '.join(row['domains'])} until {row.get('not_after', '?')}")
    for reason in found["reasons"]:
        out.print(f"! {reason['reason']} ({reason['confidence']:.0%})")
        out.print(f"    seen: {reason['evidence']}")
        out.print(f"    do:   {reason['fix']}")
    for line in found.get("limits", ()):
        out.print(f"limit: {line}")
    for line in found.get("not_seen", ()):
        out.print(f"? {line}")
