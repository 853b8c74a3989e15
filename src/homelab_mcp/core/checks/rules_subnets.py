"""HL253: a network's subnet against what this machine has already: other networks, its routes, a VPN's addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_network import NETWORKS, own_networks, pools_of
from homelab_mcp.core.checks.view import StackView
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LOCAL

_TUNNEL = "WIREGUARD_ADDRESSES"
_GIVEN = tuple(ipaddress.IPv4Network(f"{start}.0.0/16") for start in ("172.28", "172.29", "10.201", "10.202"))
"""Where a free subnet is looked for: private, and neither the engine's first choice nor a home router's."""
_VPN = """\
services:
  vpn:
    image: qmcgaw/gluetun:v3.40.0
    cap_add: [NET_ADMIN]
    environment: {{WIREGUARD_ADDRESSES: 10.64.1.2/32}}
    networks: [lan]
networks:
  lan: {{ipam: {{config: [{{subnet: {}}}]}}}}
"""


@rule(
    "HL253",
    Severity.ERROR,
    "A network whose addresses are in use on this machine",
    why="The engine refuses a subnet that another of its networks has ('Pool overlaps'). One that overlaps a route of "
    "the machine (its LAN, a WireGuard or other VPN) is taken, and what lies behind that route is cut off from it; one "
    "that holds a tunnel's own address leads its traffic past the tunnel.",
    link=f"{NETWORKS}#ipam",
    bad=_VPN.format("10.64.0.0/16"),
    good=_VPN.format("172.28.0.0/24"),
    needs="networks",
)
def subnet_in_use(ctx: LintContext) -> Iterable[Finding]:
    """A subnet that a file asks for and that overlaps one of the engine's, of the host's routes, or a tunnel."""
    for stack in ctx.lab.stacks:
        if stack.host != LOCAL:
            # Nobody knows what that machine reaches.
            continue
        for key, subnet, path in _asked(stack):
            told = (
                _engines(ctx, stack.real_network(key), subnet) or _routes(ctx, subnet) or _tunnels(stack, key, subnet)
            )
            if told:
                yield ctx.at(stack, path, f"{subnet} {told}{_way_out(ctx, subnet)}")


def _asked(stack: StackView) -> Iterator[tuple[str, ipaddress.IPv4Network, Path]]:
    used = {k for s in stack.services for k in s.networks}
    for key, body in own_networks(stack):
        for item, path in pools_of(body):
            subnet = _network(item.get("subnet"))
            if subnet is not None and body.get("driver") in (None, "", "bridge") and key in used:
                yield key, subnet, ("networks", key, *path, "subnet")


def _network(text: object) -> ipaddress.IPv4Network | None:
    try:
        found = ipaddress.ip_network(text, strict=False) if isinstance(text, str) and "/" in text else None
    except ValueError:
        return None
    return found if isinstance(found, ipaddress.IPv4Network) else None


def _engines(ctx: LintContext, name: str, subnet: ipaddress.IPv4Network) -> str:
    for other, texts in (ctx.lab.facts.pools or {}).items():
        taken = next((n for text in texts if other != name and (n := _network(text)) and n.overlaps(subnet)), None)
        if taken and "/" not in other:
            return f"overlaps {taken}, which the engine's network {other!r} has: it refuses this one."
    return ""


def _routes(ctx: LintContext, subnet: ipaddress.IPv4Network) -> str:
    for text, interface in ctx.lab.facts.routes or ():
        if (taken := _network(text)) and taken.overlaps(subnet):
            return f"overlaps {taken}, which this machine reaches by {interface}: it would be cut off from there."
    return ""


def _tunnels(stack: StackView, key: str, subnet: ipaddress.IPv4Network) -> str:
    for service in stack.services:
        entry = service.environment.get(_TUNNEL)
        for text in (entry.value or "").split(",") if entry and key in service.networks else ():
            inside = _network(text.strip())
            if inside is not None and inside.overlaps(subnet):
                # Its value may be a secret's neighbour in .env: the name says enough.
                return f"holds the tunnel's own address of {service.name} ({_TUNNEL}): traffic would go past it."
    return ""


def _way_out(ctx: LintContext, subnet: ipaddress.IPv4Network) -> str:
    """A subnet of that size, or of 256 addresses, that nothing known has."""
    facts = ctx.lab.facts
    texts = [*(t for nets in (facts.pools or {}).values() for t in nets), *(t for t, _ in facts.routes or ())]
    taken = [n for n in map(_network, texts) if n is not None]
    taken += [n for stack in ctx.lab.stacks for _, n, _ in _asked(stack)]
    size = max(subnet.prefixlen, 24)
    for block in _GIVEN:
        free = next((n for n in block.subnets(new_prefix=size) if not any(n.overlaps(t) for t in taken)), None)
        if free is not None:
            return f" {free} is free; without a subnet the engine chooses one itself."
    return " Without a subnet the engine chooses one itself."
