"""HL148 to HL150: networks that the engine cannot make, and addresses that are taken."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView, StackView
from homelab_mcp.core.compose_model import is_external, is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

NETWORKS = "https://docs.docker.com/reference/compose-file/networks/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network
_LOCAL = (None, "", "bridge", "macvlan", "ipvlan")


def own_networks(stack: StackView) -> Iterator[tuple[str, dict[str, Any]]]:
    """Networks that the stack itself makes."""
    for key, body in stack.section("networks").items():
        if isinstance(body, dict) and not is_external(body):
            yield key, body


def pools_of(body: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Path]]:
    """Its ``ipam.config`` entries that have no open variable, each with its path in the network."""
    ipam = body.get("ipam")
    config = ipam.get("config") if isinstance(ipam, dict) else None
    for n, item in enumerate(config if isinstance(config, list) else ()):
        if isinstance(item, dict) and not any(is_open(v) for v in item.values()):
            yield item, ("ipam", "config", n)


def _subnet(value: Any) -> Subnet | None:
    try:
        return ipaddress.ip_network(value, strict=False) if isinstance(value, str) and "/" in value else None
    except ValueError:
        return None


def _address(value: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None


@rule(
    "HL148",
    Severity.ERROR,
    "A network that the engine cannot make",
    why="A pool needs its subnet with a mask, its gateway and ip_range lie inside it, a bridge has one IPv4 pool, and "
    "the driver must be one the engine has. Compose passes all of it on unread.",
    link=f"{NETWORKS}#ipam",
    bad=f"{HEAD}    networks: [lan]\nnetworks:\n  lan:\n    ipam: {{config: [{{subnet: 10.8.0.0}}]}}\n",
    good=f"{HEAD}    networks: [lan]\nnetworks:\n  lan:\n"
    "    ipam: {config: [{subnet: 10.8.0.0/24, gateway: 10.8.0.1}]}\n",
)
def bad_network(ctx: LintContext) -> Iterable[Finding]:
    """A pool, a driver or a driver option that the engine refuses."""
    for stack in ctx.lab.stacks:
        yield from _predefined(ctx, stack)
        for key, body in own_networks(stack):
            place: Path = ("networks", key)
            driver = body.get("driver")
            if isinstance(driver, str) and not is_open(driver):
                if driver in {"host", "none", "null"}:
                    message = f"The engine has one network {driver!r} and makes no other; use 'network_mode: {driver}'."
                    yield ctx.at(stack, (*place, "driver"), message)
                elif driver == "default":
                    yield ctx.at(stack, (*place, "driver"), "There is no driver 'default'; leave it out for a bridge.")
                elif driver not in _DRIVERS and (near := difflib.get_close_matches(driver, _DRIVERS, n=1)):
                    yield ctx.at(stack, (*place, "driver"), f"There is no driver {driver!r}. Did you mean {near[0]!r}?")
            for path, problem, severity in _pool_problems(body):
                yield ctx.at(stack, (*place, *path), problem, severity=severity)
            options = body.get("driver_opts")
            for name, value in options.items() if isinstance(options, dict) else ():
                text = "" if is_open(value) else str(value)
                if name == "com.docker.network.driver.mtu" and text and not re.fullmatch("[0-9]{1,9}", text):
                    yield ctx.at(stack, (*place, "driver_opts", name), "The MTU is a whole number.")
                elif name == "com.docker.network.bridge.name" and len(text) > 15:
                    message = "The kernel's names of interfaces have 15 characters at most."
                    yield ctx.at(stack, (*place, "driver_opts", name), message)


def _predefined(ctx: LintContext, stack: StackView) -> Iterator[Finding]:
    """An external network by the name ``default``, which the engine makes for nobody."""
    for key, body in stack.section("networks").items():
        meant = is_external(body) and stack.real_network(key) == "default"
        if meant and any(key in s.networks for s in stack.services):
            message = (
                "No network of the engine's is called 'default', nor can be; say which one is meant: 'name: proxy'."
            )
            yield ctx.at(stack, ("networks", key), message, key=True)


_DRIVERS = frozenset({"bridge", "macvlan", "ipvlan", "overlay", "host", "none", "null"})


def _pool_problems(body: dict[str, Any]) -> Iterator[tuple[Path, str, Severity | None]]:
    first_v4 = ""
    for item, path in pools_of(body):
        text = item.get("subnet")
        subnet = _subnet(text)
        if isinstance(text, str) and text and "/" not in text and _address(text):
            yield (*path, "subnet"), f"The mask is missing: {text}/24, for example.", None
        elif not text and (item.get("gateway") or item.get("ip_range")):
            yield path, "A gateway or range needs its 'subnet'.", None
        if subnet and str(subnet.network_address) != str(text).partition("/")[0] and subnet.version == 4:
            message = f"The subnet is {subnet}; newer engines refuse it written as {text}."
            yield (*path, "subnet"), message, Severity.WARNING
        if subnet and subnet.version == 4:
            if first_v4 and body.get("driver") in (None, "", "bridge"):
                yield (*path, "subnet"), f"A bridge has one IPv4 pool, and this one has {first_v4} already.", None
            first_v4 = first_v4 or str(subnet)
        for field, problem, severity in _parts(item, subnet):
            yield (*path, *field), problem, severity


def _parts(item: dict[str, Any], subnet: Subnet | None) -> Iterator[tuple[Path, str, Severity | None]]:
    """What is wrong with the parts of a pool."""
    gateway = item.get("gateway")
    if isinstance(gateway, str) and gateway:
        address = _address(gateway)
        if address is None:
            yield ("gateway",), f"{gateway!r} is no address.", None
        elif subnet and address not in subnet:
            yield ("gateway",), f"The gateway {gateway} is not in the subnet {subnet}.", None
    part = item.get("ip_range")
    if isinstance(part, str) and part:
        inner = _subnet(part)
        if inner is None:
            yield ("ip_range",), f"{part!r} is no range with a mask, such as 10.8.0.128/25.", None
        elif subnet and not _inside(inner, subnet):
            # Older engines take it and hand out other addresses.
            yield ("ip_range",), f"The range {part} is not in the subnet {subnet}.", Severity.WARNING
    aux = item.get("aux_addresses")
    for name, value in aux.items() if isinstance(aux, dict) and subnet else ():
        address = _address(value)
        if subnet and address and address not in subnet:
            yield ("aux_addresses", name), f"{value} is not in the subnet {subnet}.", None


def _inside(inner: Subnet, outer: Subnet) -> bool:
    return inner.version == outer.version and inner.network_address in outer and inner.broadcast_address in outer


@rule(
    "HL149",
    Severity.ERROR,
    "Two networks share addresses",
    why="The engine keeps the pools of all its networks apart: the second network is refused ('Pool overlaps'), "
    "and its stack does not start. Stacks that should be on one network share it by name.",
    link=f"{NETWORKS}#ipam",
    bad=f"{HEAD}    networks: [a, b]\nnetworks:\n  a: {{ipam: {{config: [{{subnet: 10.8.0.0/16}}]}}}}\n"
    "  b: {ipam: {config: [{subnet: 10.8.5.0/24}]}}\n",
    good=f"{HEAD}    networks: [a, b]\nnetworks:\n  a: {{ipam: {{config: [{{subnet: 10.8.0.0/16}}]}}}}\n"
    "  b: {ipam: {config: [{subnet: 10.9.5.0/24}]}}\n",
)
def pools_overlap(ctx: LintContext) -> Iterable[Finding]:
    """Subnets of two networks of the lab overlap."""
    seen: list[tuple[Subnet, str, StackView]] = []
    for stack in ctx.lab.stacks:
        used = {k for s in stack.services for k in s.networks}
        for key, body in own_networks(stack):
            if body.get("driver") not in _LOCAL or key not in used:
                continue
            name = stack.real_network(key)
            for item, path in pools_of(body):
                subnet = _subnet(item.get("subnet"))
                for other, other_name, where in seen if subnet else ():
                    if subnet and other_name != name and other.version == subnet.version and other.overlaps(subnet):
                        message = f"{subnet} overlaps {other}, the network {other_name!r} of {where.file}."
                        yield ctx.at(stack, ("networks", key, *path, "subnet"), message)
                        break
                if subnet:
                    seen.append((subnet, name, stack))
                if isinstance(subnet, ipaddress.IPv4Network) and subnet.overlaps(_DOCKER0):
                    message = (
                        f"{subnet} overlaps {_DOCKER0}, the engine's own bridge where daemon.json moves it nowhere."
                    )
                    yield ctx.at(stack, ("networks", key, *path, "subnet"), message, severity=Severity.WARNING)


_DOCKER0 = ipaddress.IPv4Network("172.17.0.0/16")


@rule(
    "HL150",
    Severity.ERROR,
    "An address that is taken or cannot be given",
    why="The gateway, the network's own and the broadcast address belong to the network; a fixed address needs a "
    "network with a subnet of its own, and fits one container only. The engine does not start others.",
    link="https://docs.docker.com/reference/compose-file/services/#ipv4_address-ipv6_address",
    bad=f"{HEAD}    networks: {{lan: {{ipv4_address: 10.8.0.1}}}}\n"
    "networks:\n  lan:\n    ipam: {config: [{subnet: 10.8.0.0/24}]}\n",
    good=f"{HEAD}    networks: {{lan: {{ipv4_address: 10.8.0.2}}}}\n"
    "networks:\n  lan:\n    ipam: {config: [{subnet: 10.8.0.0/24}]}\n",
)
def taken_address(ctx: LintContext) -> Iterable[Finding]:
    """A static address that is the network's own or kept for others, has no subnet, or that replicas would share."""
    for service in ctx.having("networks"):
        networks = service.data.get("networks")
        for key, options in networks.items() if isinstance(networks, dict) else ():
            text = options.get("ipv4_address") if isinstance(options, dict) else None
            if isinstance(text, str) and text and not is_open(text):
                problem = _taken(service, str(key), _address(text)) or _kept(service, str(key), _address(text))
                if problem:
                    yield ctx.on(service, ("networks", key, "ipv4_address"), problem)
            text = options.get("ipv6_address") if isinstance(options, dict) else None
            if isinstance(text, str) and text and not is_open(text) and _without_v6(service, str(key)):
                message = "The network has no IPv6 subnet under 'ipam': the engine gives no fixed address there."
                yield ctx.on(service, ("networks", key, "ipv6_address"), message)


def _without_v6(service: ServiceView, key: str) -> bool:
    """True for a network of the stack's own whose subnets are all known, and all IPv4."""
    body = service.stack.section("networks").get(key)
    if service.stack.partial or service.partial or not isinstance(body, dict) or body.get("driver") not in _LOCAL:
        return False
    ipam = body.get("ipam")
    config = ipam.get("config") if isinstance(ipam, dict) else None
    known = [subnet for item, _ in pools_of(body) if (subnet := _subnet(item.get("subnet")))]
    own = not is_external(body)
    return own and isinstance(config, list) and len(known) == len(config) and all(n.version == 4 for n in known)


def _kept(service: ServiceView, key: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> str:
    body = service.stack.section("networks").get(key)
    for pool, _ in pools_of(body) if isinstance(body, dict) else ():
        kept = pool.get("aux_addresses")
        if address and isinstance(kept, dict) and address in map(_address, kept.values()):
            return f"{address} is kept free for somebody else (aux_addresses)."
    return ""


def _taken(service: ServiceView, key: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> str:
    if address is None:
        return ""
    if address.version != 4:
        return "That is an IPv6 address; it belongs in 'ipv6_address'."
    deploy = service.data.get("deploy")
    counts = [service.data.get("scale"), deploy.get("replicas") if isinstance(deploy, dict) else None]
    if any(isinstance(n, int) and n > 1 for n in counts):
        return "Several replicas cannot share one address."
    bodies = service.stack.section("networks")
    body = bodies.get(key)
    if service.stack.partial or service.partial or (key not in bodies and key != "default"):
        return ""
    if not isinstance(body, dict):
        body = {}
    if is_external(body) or body.get("driver") not in _LOCAL:
        return ""
    ipam = body.get("ipam")
    if not isinstance(ipam, dict) or not ipam.get("config"):
        return "" if ipam or is_open(ipam) else "A fixed address needs a network with an 'ipam' subnet of its own."
    for item, _ in pools_of(body):
        subnet = _subnet(item.get("subnet"))
        if subnet and subnet.version == 4 and address in subnet and subnet.prefixlen < 31:
            bridge = body.get("driver") in (None, "", "bridge")
            gateway = _address(item.get("gateway")) or (subnet.network_address + 1 if bridge else None)
            if address == gateway:
                return f"{address} is the network's gateway (the first address where none is named)."
            if address in (subnet.network_address, subnet.broadcast_address):
                return f"{address} is the network's own or its broadcast address."
    return ""
