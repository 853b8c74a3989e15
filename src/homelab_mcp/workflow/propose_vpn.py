"""From a request about the VPN to a stored plan."""

from __future__ import annotations

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of


def propose_vpn(
    lab: Lab,
    requester: Requester,
    *,
    service: str = "",
    state: str = "",
    stack: str = "",
    provider: str = "",
    kind: str = "",
) -> Plan:
    """A plan that moves a service behind the VPN gateway or back, or chooses the gateway's provider.

    Args:
        lab: the lab.
        requester: who asks.
        service: its compose name, ``stack/service`` or container name; "" to choose the provider alone.
        state: on or off, with ``service``.
        stack: its stack, or the gateway's; "" where that is clear.
        provider: the gateway's, as Gluetun or people write it.
        kind: wireguard or openvpn; "" for the provider's best.

    Raises NotFound, InvalidInput, EditRefused.
    """
    from homelab_mcp.core.operations.set_vpn import set_vpn
    from homelab_mcp.core.operations.vpn_request import VpnRequest
    from homelab_mcp.queries.find import find_service
    from homelab_mcp.queries.on_host import in_view

    if state not in ("", "on", "off"):
        raise InvalidInput(f"{state!r} is neither on nor off.", hint="Use on or off.")
    if service:
        stack, service = find_service(lab.files, service, stack)
    mine = in_view(lab)
    lab = lab.whole
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    if not stack:
        from homelab_mcp.core.operations.lab_view import view
        from homelab_mcp.core.vpn import gateways

        found = sorted({g.stack for g in gateways(view(snapshot)) if mine(g.stack)})
        if len(found) != 1:
            raise InvalidInput(
                f"{'No stack has' if not found else 'Several stacks have'} a VPN gateway.",
                hint=f"Name the stack: {', '.join(found)}." if found else "Name a service to send through the VPN.",
                code="no_gateway",
            )
        stack = found[0]
    on = {"": None, "on": True, "off": False}[state]
    request = request_of(VpnRequest, stack=stack, service=service, on=on, provider=provider, type=kind.lower())
    draft = set_vpn(snapshot, lab.settings, request, find=lab.catalog.get, root=lab.root)
    return plan_of(lab, draft, snapshot, requester)
