"""``homelab-mcp vpn``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import FAILED, OK, JsonFlag, console, emit, lab_of
from homelab_mcp.cli.lazy import OnOff
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

if TYPE_CHECKING:
    from homelab_mcp.core.vpn_providers import Provider

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

        emit({"providers": [_row(p) for p in PROVIDERS.values()]}, as_json, lambda: _show_providers(PROVIDERS.values()))

    @vpn.command()
    def check(ctx: typer.Context, stack: _Stack = "", as_json: JsonFlag = False) -> None:
        """Compare the addresses that the host, the gateway and its clients are seen with, and look for DNS leaks."""
        from homelab_mcp.queries.check_vpn import check_vpn

        found = check_vpn(lab_of(ctx), stack)

        emit(found, as_json, lambda: _show_check(found))
        raise typer.Exit(FAILED if found["verdict"] == "bad" else OK)


def _row(provider: Provider) -> dict[str, Any]:
    return {
        "provider": provider.id,
        "name": provider.name,
        **{kind: list(provider.needs(kind)) for kind in provider.types},
        "port_forwarding": provider.forwarding,
        "note": provider.note,
    }


def _show_providers(providers: Iterable[Provider]) -> None:
    for provider in providers:
        console().print(f"{provider.id}: {provider.name}")
        for kind in provider.types:
            console().print(f"  {kind:<10} {', '.join(provider.needs(kind)) or 'files'}")
        if provider.forwarding:
            console().print(f"  ports      {provider.forwarding} ({', '.join(provider.forwarding_types)})")
        if provider.note:
            console().print(f"  {provider.note}")


def _show_check(found: dict[str, Any]) -> None:
    for gateway in found["gateways"]:
        word = {"ok": "ok", "bad": "BAD", "unseen": "not all seen"}[gateway["verdict"]]
        address = gateway.get("address", "no address seen")
        console().print(f"{gateway['gateway']}: {word}, {gateway['state']}, {address}")
        for client in gateway["clients"]:
            console().print(f"  {client['service']:<20} {client.get('address', '?'):<16} {client['how']}")
        for problem in gateway.get("problems", ()):
            console().print(f"  ! {problem}")
        for unseen in gateway.get("not_seen", ()):
            console().print(f"  ? not seen: {unseen}")
