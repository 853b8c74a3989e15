"""VPN gateways and who is behind them, as compose files say.

Facts about Gluetun: qdm12/gluetun-wiki ``setup/connect-a-container-to-gluetun.md``, ``setup/port-mapping.md``,
``setup/inter-containers-networking.md``, ``setup/options/*.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from homelab_mcp.core.lazy_fitness import image_name
from homelab_mcp.core.network_sharers import owner_of, sharers_of
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.model.definition import ServiceDefinition

GATEWAY = "gluetun"
RECORD = "x-homelab-vpn"
"""In a service behind a gateway that ``set_vpn`` put there: what it had before, and what it gave the gateway."""

OWN_PORTS = frozenset({8000, 8388, 8888, 9999, 53})
"""What Gluetun itself may listen on: control server, Shadowsocks, HTTP proxy, health, DNS."""

TAKEN_AWAY = (
    "networks",
    "network_mode",
    "ports",
    "expose",
    "hostname",
    "domainname",
    "mac_address",
    "links",
    "external_links",
    "dns",
    "dns_search",
    "dns_opt",
    "extra_hosts",
)
"""What belongs to a network and not to who borrows one: Docker refuses these beside ``network_mode: service:``."""

_SERVER_PORT = re.compile(r"^traefik\.(?:http|tcp|udp)\.services\.[^.]+\.loadbalancer\.server\.port$", re.IGNORECASE)


def is_gateway(service: Mapping[str, Any]) -> bool:
    """Whether it is a Gluetun, by its image or the definition it was made from."""
    labels = service.get("labels")
    made = labels.get("homelab.service") if isinstance(labels, Mapping) else None
    return GATEWAY in image_name(service) or made == GATEWAY


def gateways(lab: LabView) -> list[Known]:
    """Every gateway of the lab."""
    return [s for s in lab.services if is_gateway(s.data)]


def clients(services: Mapping[str, Any], gateway: str) -> list[str]:
    """Who is behind the gateway, in the file's order."""
    return sharers_of(services, gateway)


def gateway_of(service: Known, lab: LabView) -> Known | None:
    """The gateway of its stack that a service is behind; None for one with a network of its own."""
    name = owner_of(service.data)
    return next((g for g in gateways(lab) if (g.stack, g.name) == (service.stack, name)), None)


def listening(service: Known, definition: ServiceDefinition | None = None) -> set[int]:
    """Ports that it listens on inside, as far as its definition, labels, ``ports`` and ``expose`` tell."""
    found = {int(v) for k, v in service.labels.items() if _SERVER_PORT.match(k) and v.isdigit()}
    found |= {p.container for p in definition.container.ports} if definition else set()
    found |= set(_targets(service))
    return found


def _targets(service: Known) -> Iterator[int]:
    """Container ports under ``ports`` and ``expose``, ranges in full up to a thousand."""
    listed = [*_list(service.data.get("ports")), *_list(service.data.get("expose"))]
    for port in listed:
        text = str(port.get("target", "")) if isinstance(port, Mapping) else expand(str(port), service.env)
        inner = text.partition("/")[0].rpartition(":")[2]
        first, _, last = inner.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            yield from range(int(first), min(int(last or first), int(first) + 1000) + 1)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
