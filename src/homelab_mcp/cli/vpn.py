"""``homelab-mcp vpn``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, emit, lab_of
from homelab_mcp.cli.lazy import OnOff
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

_Stack = Annotated[str, typer.Option(help="The stack; needed only where it is not clear.")]
_Provider = Annotated[str, typer.Option(help="The provider, such as mullvad (see vpn providers).")]
_Type = Annotated[str, typer.Option("--type", help="wireguard or openvpn; the provider's best when left out.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    vpn = typer.Typer(help="Send services through a VPN gateway, choose its provider, check it.", no_args_is_help=True)
    app.add_typer(vpn, name="vpn")

    @vpn.command("set")
    def set_(
        ctx: typer.Context,
        service: Annotated[str, typer.Argument(help="Compose service name.")],
        state: Annotated[OnOff, typer.Argument(help="on or off.")],
        stack: _Stack = "",
        provider: _Provider = "",
        kind: _Type = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to move a service behind the VPN gateway of its stack, or back."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_vpn import propose_vpn

        lab = lab_of(ctx)
        plan = propose_vpn(
            lab,
            Requester(via="cli"),
            service=service,
            state=state.value,
            stack=stack,
            provider=provider,
            kind=kind,
        )
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

    @vpn.command()
    def provider(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(help="The provider, such as mullvad.")],
        stack: _Stack = "",
        kind: _Type = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to use a provider for the gateway; says which variables you must set."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.propose_vpn import propose_vpn

        lab = lab_of(ctx)
        plan = propose_vpn(lab, Requester(via="cli"), stack=stack, provider=name, kind=kind)
        raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

    @vpn.command()
    def providers(as_json: JsonFlag = False) -> None:
        """List the providers that the gateway knows, and what each needs."""
        from homelab_mcp.core.vpn_providers import PROVIDERS

        rows = [
            {
                "provider": p.id,
                "name": p.name,
                **{kind: ", ".join(p.needs(kind)) for kind in p.types},
                "port_forwarding": p.forwarding,
                "note": p.note,
            }
            for p in PROVIDERS.values()
        ]
        emit(rows, as_json=as_json, columns=("provider", "wireguard", "openvpn", "port_forwarding"))

    @vpn.command()
    def check(ctx: typer.Context, stack: _Stack = "", as_json: JsonFlag = False) -> None:
        """Compare the addresses that the host, the gateway and its clients are seen with, and look for DNS leaks."""
        from homelab_mcp.queries.check_vpn import check_vpn

        found = check_vpn(lab_of(ctx), stack)
        show(found, as_json=as_json)
        raise typer.Exit(0 if all(g["ok"] is not False for g in found["gateways"]) else 1)
