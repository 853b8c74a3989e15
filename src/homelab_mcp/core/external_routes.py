"""Routes to what runs outside of the lab: Traefik's file for them, and what an address must not be."""

from __future__ import annotations

import ipaddress
from typing import Any

from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.external import ExternalRoute
from homelab_mcp.model.lab import LabSettings

FILE = "external.yaml"
"""In Traefik's dynamic folder."""

HEAD = (
    "# Made by homelab-mcp from 'external' in homelab.yaml, and made anew by every plan. Routes of your own belong in\n"
    "# other files of this folder: they are never touched.\n"
)
_ENTRY_POINT = "websecure"
_RESOLVER = "letsencrypt"
_DOCKER_PORTS = frozenset({2375, 2376})
_HOME_ASSISTANT = 8123


def file_text(settings: LabSettings, *, shared_certificates: bool) -> str:
    """The file's text; "" where there is no external service.

    Args:
        settings: the lab's, with ``external``.
        shared_certificates: whether Traefik's entry point says where certificates come from.
    """
    if not settings.external:
        return ""
    http: dict[str, dict[str, Any]] = {"routers": {}, "services": {}, "serversTransports": {}}
    for name, route in sorted(settings.external.items()):
        key = f"external-{name}"
        http["routers"][key] = _router(name, route, settings, shared_certificates)
        http["services"][key] = {"loadBalancer": _balancer(key, route)}
        if transport := _transport(route):
            http["serversTransports"][key] = transport
    lines = entry("http", {k: v for k, v in http.items() if v}, 0, Style())
    return HEAD + "\n".join(lines) + "\n"


def _router(name: str, route: ExternalRoute, settings: LabSettings, shared: bool) -> dict[str, Any]:
    router: dict[str, Any] = {
        "rule": rule_of(name, route, settings.domain),
        "entryPoints": [_ENTRY_POINT],
        "service": f"external-{name}",
    }
    if route.asks:
        middleware = settings.sso_middleware
        router["middlewares"] = [middleware if "@" in middleware else f"{middleware}@docker"]
    if not shared:
        router["tls"] = {} if settings.acme.challenge == "none" else {"certResolver": _RESOLVER}
    return router


def hosts_of(settings: LabSettings) -> dict[str, str]:
    """Host names that devices outside of the lab have, at entry point ``websecure``, and which device has each."""
    return {route.host_name(name, settings.domain).lower(): name for name, route in sorted(settings.external.items())}


def rule_of(name: str, route: ExternalRoute, domain: str) -> str:
    """Traefik's rule for it: its host, and its path where it has one."""
    rule = f"Host(`{route.host_name(name, domain)}`)"
    path = route.path.rstrip("/")
    # PathPrefix compares texts: /ui alone would let /uikeys through as well.
    return f"{rule} && (Path(`{path}`) || PathPrefix(`{path}/`))" if path else rule


def _balancer(key: str, route: ExternalRoute) -> dict[str, Any]:
    balancer: dict[str, Any] = {"servers": [{"url": route.url}]}
    if _transport(route):
        balancer["serversTransport"] = key
    return balancer


def _transport(route: ExternalRoute) -> dict[str, Any]:
    transport: dict[str, Any] = {}
    if route.tls_name:
        transport["serverName"] = route.tls_name
    if route.tls == "skip":
        transport["insecureSkipVerify"] = True
    if route.ca:
        # A text that is no path is taken as the certificates themselves (Traefik, FileOrContent).
        transport["rootCAs"] = [f"{route.ca}\n"]
    return transport


def check_address(route: ExternalRoute, settings: LabSettings) -> None:
    """Refuse an address that can lead nowhere good from inside Traefik's container.

    Raises:
        InvalidInput: code ``bad_address`` or ``address_refused``.
    """
    host = route.host
    if host == settings.domain or host.endswith(f".{settings.domain}"):
        raise InvalidInput(
            f"{host} is the lab's own domain: Traefik would ask itself.",
            hint="Give the machine's address in your network, such as http://192.168.1.20:8080.",
            code="address_refused",
        )
    address = address_of(route)
    if host == "localhost" or (address is not None and (address.is_loopback or address.is_unspecified)):
        raise InvalidInput(
            f"{host} is Traefik's own container when Traefik asks it.",
            hint="For a program on this machine give the machine's address in your network.",
            code="bad_address",
        )
    if address is not None and (address.is_link_local or address.is_multicast or address.is_reserved):
        raise InvalidInput(
            f"{host} is no address of a machine that can be routed to.",
            hint="Give the machine's address in your network, such as 192.168.1.20.",
            code="bad_address",
        )
    if route.port in _DOCKER_PORTS:
        raise InvalidInput(
            f"Port {route.port} is Docker's own API: whoever reaches it commands that machine.",
            hint="Route to a program's page instead.",
            code="address_refused",
        )


def address_of(route: ExternalRoute) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The backend's address, None where a name stands for it."""
    try:
        return ipaddress.ip_address(route.host)
    except ValueError:
        return None


def is_home_assistant(route: ExternalRoute) -> bool:
    """Whether it looks like Home Assistant, which refuses a proxy that it was not told of."""
    return route.port == _HOME_ASSISTANT


__all__ = ["FILE", "HEAD", "address_of", "check_address", "file_text", "is_home_assistant", "rule_of"]
