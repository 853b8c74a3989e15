"""``homelab-mcp add``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def add(
        ctx: typer.Context,
        service: Annotated[str, typer.Argument(help="Catalog id or name (see search).")],
        stack: Annotated[str, typer.Option(help="Stack to add it to; the service's usual one when left out.")] = "",
        name: Annotated[str, typer.Option(help="Compose service name.")] = "",
        subdomain: Annotated[str, typer.Option(help="Host name left of the domain.")] = "",
        sso: Annotated[str, typer.Option(help="protect, two_factor or bypass.")] = "",
        sso_reason: Annotated[str, typer.Option(help="Why log-in is bypassed.")] = "",
        sso_group: Annotated[list[str] | None, typer.Option(help="Only members of this group may pass.")] = None,
        vpn: Annotated[bool | None, typer.Option("--vpn/--no-vpn", help="Route its traffic through the VPN.")] = None,
        lazy: Annotated[bool, typer.Option("--lazy", help="Let it sleep while nobody visits it.")] = False,
        tag: Annotated[str, typer.Option(help="Image tag instead of the pinned one.")] = "",
        var: Annotated[
            list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A non-secret setting.")
        ] = None,
        host: Annotated[str, typer.Option(help="Docker host of a new stack (see host list); else this machine.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to add a catalog service; asks for the PIN at a terminal and applies."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.proposals import propose_add_service

        options = {
            "name": name,
            "subdomain": subdomain,
            "sso": sso,
            "sso_reason": sso_reason,
            "sso_groups": tuple(sso_group or ()),
            "vpn": vpn,
            "lazy": lazy,
            "tag": tag,
            "variables": pairs(var or []),
        }
        lab = lab_of(ctx)
        plan = propose_add_service(lab, service, stack, options, Requester(via="cli"), host=host)
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def pairs(values: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` arguments as a mapping. Raises InvalidInput for one without ``=``."""
    from homelab_mcp.model.errors import InvalidInput

    found = {}
    for value in values:
        key, separator, rest = value.partition("=")
        if not separator:
            raise InvalidInput(f"'{key}' has no value.", hint="Write NAME=VALUE.")
        found[key] = rest
    return found
