"""Who answers to which host name in a lab, and from which networks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from homelab_mcp.core.checks.view import Entry, Lab, ServiceView
from homelab_mcp.core.compose_model import is_external, is_open

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_HOST_WORDS = frozenset(
    word + plural
    for word in ("HOST", "HOSTNAME", "SERVER", "ADDR", "ADDRESS", "URL", "URI", "DSN", "ENDPOINT", "BROKER")
    for plural in ("", "S")
)
"""Last words of variables that name a host."""
OWN = frozenset({"localhost", "127.0.0.1", "::1"})


def names_of(service: ServiceView) -> set[str]:
    """Host names that other containers can find it by, on a network that both are on."""
    given = (service.name, service.data.get("container_name"), service.data.get("hostname"))
    found = {name for name in given if isinstance(name, str) and not is_open(name)}
    networks = service.data.get("networks")
    for options in networks.values() if isinstance(networks, dict) else ():
        aliases = options.get("aliases") if isinstance(options, dict) else None
        found |= {str(a) for a in aliases} if isinstance(aliases, list) else set()
    found |= {f"{service.stack.project}{sign}{service.name}{sign}1" for sign in "-_"}
    return {name.lower() for name in found if name}


def by_name(lab: Lab) -> dict[str, list[ServiceView]]:
    """Host name -> services of the lab that have it."""
    found: dict[str, list[ServiceView]] = {}
    for service in lab.services:
        for name in names_of(service):
            found.setdefault(name, []).append(service)
    return found


def owner(service: ServiceView, lab: Lab) -> ServiceView | None:
    """The service whose network it uses: itself, another one, None where that is none of the lab or the host."""
    kind, _, name = service.network_mode.partition(":")
    if not kind:
        return service
    if kind == "service":
        return service.stack.service(name)
    if kind == "container":
        return next((s for s in lab.services if s.data.get("container_name") == name), None)
    return None


def meet(one: ServiceView, other: ServiceView, lab: Lab) -> bool:
    """True when both are on one network, or nobody can tell."""
    first, second = owner(one, lab), owner(other, lab)
    if first is None or second is None or first is second or first.partial or second.partial:
        return True
    networks = first.real_networks | second.real_networks
    if any("$" in name for name in networks) or first.stack.partial or second.stack.partial:
        return True
    return bool(first.real_networks & second.real_networks) or bool(set(_links(first)) & names_of(second))


def _links(service: ServiceView) -> Iterator[str]:
    part = service.data.get("links")
    for item in part if isinstance(part, list) else ():
        yield str(item).partition(":")[0].lower()


def host_in(text: str) -> tuple[str, int]:
    """The host and the port of an address or URL, ("", 0) where there is none."""
    if "://" in text:
        try:
            parts = urlsplit(text.partition("?")[0])
            return (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        except ValueError:
            return "", 0
    host, _, port = text.partition(":")
    if not _NAME.fullmatch(host) or not re.fullmatch("[0-9]{0,5}", port):
        return "", 0
    return host.lower(), int(port or 0)


def asked_hosts(service: ServiceView) -> Iterator[tuple[str, Entry]]:
    """(host, variable) of every variable that names a host by its simple name, without a domain."""
    for entry in service.environment.values():
        if entry.open or entry.key.upper().rpartition("_")[2] not in _HOST_WORDS:
            continue
        value = (entry.value or "").strip()
        host, _ = host_in(value)
        if host and "." not in host and host not in OWN and not host.isdigit():
            yield host, entry


def outward(service: ServiceView) -> bool:
    """True where containers of other stacks, which nobody shows here, may be on its networks."""
    for key in service.networks:
        body = service.stack.section("networks").get(key)
        if isinstance(body, dict) and (is_external(body) or body.get("name") or body.get("driver") == "macvlan"):
            return True
    return False
