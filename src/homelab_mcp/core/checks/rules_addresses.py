"""HL136: subnets and static addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_external, is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

HEAD = "services:\n  web:\n    image: nginx:1.29\n"


def _subnets(body: Any) -> Iterator[tuple[str, Path]]:
    ipam = body.get("ipam") if isinstance(body, dict) else None
    config = ipam.get("config") if isinstance(ipam, dict) else None
    for n, item in enumerate(config if isinstance(config, list) else ()):
        subnet = item.get("subnet") if isinstance(item, dict) else None
        if isinstance(subnet, str) and subnet and not is_open(subnet):
            yield str(subnet), ("ipam", "config", n, "subnet")


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


@rule(
    "HL136",
    Severity.ERROR,
    "An address that its network has not",
    why="The engine refuses an address outside the network's subnet, one on a network without a subnet of its own, and "
    "the second container that asks for the same one.",
    link="https://docs.docker.com/reference/compose-file/services/#ipv4_address-ipv6_address",
    bad=f"{HEAD}    networks: {{lan: {{ipv4_address: 10.9.0.5}}}}\n"
    "networks:\n  lan:\n    ipam: {config: [{subnet: 10.8.0.0/24}]}\n",
    good=f"{HEAD}    networks: {{lan: {{ipv4_address: 10.8.0.5}}}}\n"
    "networks:\n  lan:\n    ipam: {config: [{subnet: 10.8.0.0/24}]}\n",
)
def bad_address(ctx: LintContext) -> Iterable[Finding]:
    """A subnet that is none, or a static address that its network cannot give."""
    for stack in ctx.lab.stacks:
        for key, body in stack.section("networks").items():
            for text, path in _subnets(body):
                if _network(text) is None:
                    yield ctx.at(stack, ("networks", key, *path), f"{text!r} is no subnet (such as 172.28.0.0/24).")
    taken: dict[tuple[str, str], ServiceView] = {}
    for service in ctx.having("networks"):
        networks = service.data.get("networks")
        for key, options in networks.items() if isinstance(networks, dict) else ():
            for field in ("ipv4_address", "ipv6_address"):
                address = options.get(field) if isinstance(options, dict) else None
                if not isinstance(address, str) or not address or is_open(address):
                    continue
                problem = _address_problem(service, str(key), str(address))
                other = taken.setdefault((service.stack.real_network(str(key)), str(address)), service)
                if not problem and other is not service and service.is_beside(other):
                    problem = f"{address} is also {other.name!r}'s in {other.stack.file}."
                if problem:
                    yield ctx.on(service, ("networks", key, field), problem)


_BY_SUBNET = (None, "bridge", "macvlan", "ipvlan", "overlay")
"""Drivers whose addresses Docker itself gives out (libnetwork, ipams/defaultipam)."""


def _address_problem(service: ServiceView, key: str, address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"{address!r} is no address."
    body = service.stack.section("networks").get(key)
    if not isinstance(body, dict) or is_external(body) or service.stack.partial:
        return ""
    ipam = body.get("ipam")
    if body.get("driver") not in _BY_SUBNET or (isinstance(ipam, dict) and ipam.get("driver") not in (None, "default")):
        return ""
    subnets = [n for text, _ in _subnets(body) if (n := _network(text))]
    mine = [n for n in subnets if n.version == parsed.version]
    if mine and not any(parsed in n for n in mine):
        return f"{address} is not in the network's subnet {mine[0]}."
    return ""
