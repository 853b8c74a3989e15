"""Which services may go behind a VPN gateway, and why others may not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from homelab_mcp.core.checks.images import DATABASES, SIGN_ON
from homelab_mcp.core.lazy import ENABLE
from homelab_mcp.core.lazy_fitness import image_name
from homelab_mcp.core.network_sharers import owner_of, sharers_of
from homelab_mcp.core.operations.lab_view import Known
from homelab_mcp.core.vpn import OWN_PORTS, is_gateway, listening
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput

_PROXIES = frozenset({"traefik", "caddy", "haproxy", "swag", "nginx-proxy-manager", "cloudflared", "sablier"})
_NAMES = frozenset({"pihole", "adguardhome", "unbound", "coredns", "technitium", "blocky"})


def check_may_move(service: Known, neighbours: Mapping[str, object], definition: ServiceDefinition | None) -> None:
    """Refuse what does not work, or makes no sense, behind a VPN.

    Args:
        service: who would move.
        neighbours: the services of its file.
        definition: what it was made from, where that is known.

    Raises:
        InvalidInput: code ``vpn_not_possible``.
    """
    if reason := next(_reasons(service, neighbours, definition), ""):
        raise InvalidInput(f"{service.where} is not run through the VPN: {reason}", code="vpn_not_possible")


def _reasons(service: Known, neighbours: Mapping[str, object], definition: ServiceDefinition | None) -> Iterator[str]:
    image, name = str(service.data.get("image") or "").lower(), image_name(service.data)
    if definition is not None and definition.vpn.use == "no":
        yield definition.vpn.why
    if is_gateway(service.data):
        yield "It is the gateway."
    if name in DATABASES:
        yield "It is a database, which only its service asks."
    if name in _PROXIES:
        yield "Everything reaches the lab through it, at the host's own address."
    if name in _NAMES:
        yield "The whole network asks it for names, at the host's own address."
    if any(word in image for word in SIGN_ON) or "goauthentik" in image:
        yield "It is the lab's log-in."
    mode = str(service.data.get("network_mode") or "")
    if mode.startswith("container:") or owner_of(service.data):
        yield "It lives in another container's network already."
    if mode == "host":
        yield "It uses the host's own network, which is not the gateway's."
    if sharing := sharers_of(neighbours, service.name):
        yield f"{', '.join(sharing)} lives in its network, and networks cannot be nested."
    if service.labels.get(ENABLE, "").lower() == "true":
        yield "It sleeps while nobody visits it (lazy loading), and the gateway cannot: turn lazy loading off first."
    scale = service.data.get("scale") or (service.data.get("deploy") or {}).get("replicas")
    if isinstance(scale, int) and scale > 1:
        yield "It has several replicas, which would listen on the same ports of one network."


def check_ports(
    service: Known, gateway: Known, others: Iterable[tuple[Known, ServiceDefinition | None]], mine: Collection[int]
) -> None:
    """Refuse two listeners on one port: behind a gateway all share one network, and there is no way around it.

    Raises:
        InvalidInput: code ``vpn_port_clash``.
    """
    # Routes and published ports of who is behind it are the gateway's.
    holders = dict.fromkeys(listening(gateway), f"a service behind {gateway.name}")
    holders |= dict.fromkeys(OWN_PORTS, gateway.name)
    for other, definition in others:
        holders |= dict.fromkeys(listening(other, definition), other.name)
    if clash := sorted(set(mine) & holders.keys()):
        port = clash[0]
        raise InvalidInput(
            f"{service.name} listens on port {port}, and so does {holders[port]} in the gateway's network.",
            hint=f"Have {service.name} listen on another port by its own settings.",
            code="vpn_port_clash",
        )
