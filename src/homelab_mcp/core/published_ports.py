"""Ports of containers on a host's private address: where they are published, and publishing them."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.operations.lab_view import expand
from homelab_mcp.core.route_labels import routed_ports

_LOWEST, _SHIFTED, _SPARE = 1024, 10_000, 20_000


def published(
    services: Mapping[str, dict[str, Any]],
    address: str,
    taken: Collection[int],
    also: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, dict[str, Any]]:
    """New services with each routed port published on the host's private address alone.

    Args:
        services: as they are to be written.
        address: the private address.
        taken: host ports that others on that host have.
        also: by service a TCP port of its container that is asked without a route.
    """
    used = {
        *taken,
        *(h for s in services.values() for kind in ("tcp", "udp") for _, h, _ in _ports(s.get("ports"), {}, kind)),
    }
    found: dict[str, dict[str, Any]] = {}
    for name, block in services.items():
        own = list(block.get("ports") or ())
        labels = labels_of(block)
        wanted = list(routed_ports(labels)) if labels.get("traefik.enable") == "true" else []
        wanted += [(also[name], "tcp")] if name in also else []
        for port, kind in dict.fromkeys(wanted):
            if block.get("network_mode") == "host" or published_at(own, {}, port, address, kind):
                continue
            chosen = _free(port, used)
            used.add(chosen)
            own.append(f"{bracketed(address)}:{chosen}:{port}" + ("/udp" if kind == "udp" else ""))
        found[name] = {**block, "ports": own} if own else block
    return found


def _free(port: int, used: Collection[int]) -> int:
    """The container's own port where it can be had, else one that still tells which it is, else a spare one."""
    own = port if port >= _LOWEST else _SHIFTED + port
    wanted: tuple[int, ...] = (own, *range(_SPARE, 2 * _SPARE))
    return next(n for n in wanted if n not in used)


def published_at(ports: object, env: Mapping[str, str], port: int, address: str, kind: str = "tcp") -> int:
    """The host's port that leads to that port of the container on exactly this address; 0 where none does."""
    wanted = ipaddress.ip_address(address)
    for ip, host, container in _ports(ports, env, kind):
        try:
            if container == port and ipaddress.ip_address(ip) == wanted:
                return host
        except ValueError:
            continue
    return 0


def _ports(ports: object, env: Mapping[str, str], kind: str) -> Iterator[tuple[str, int, int]]:
    """(address, host port, container port) of each port of that protocol that is published; "" is every address."""
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, Mapping):
            ip, text = str(port.get("host_ip") or ""), f"{port.get('published', '')}:{port.get('target', '')}"
            protocol = str(port.get("protocol") or "tcp")
            text = expand(text, env)
        else:
            text, _, protocol = expand(str(port), env).partition("/")
            ip, _, rest = text.rpartition(":")
            ip, _, first = ip.rpartition(":")
            text = f"{first}:{rest}"
        first, _, last = text.partition(":")
        if (protocol or "tcp") == kind and first.isdigit() and last.isdigit():
            yield ip.strip("[]"), int(first), int(last)


def bracketed(address: str) -> str:
    """As it stands before a port."""
    return f"[{address}]" if ":" in address else address
