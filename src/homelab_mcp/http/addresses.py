"""Which names the server answers to, and whom a request comes from."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.http.settings import EVERYWHERE, LOOPBACK, HttpSettings, Network
from homelab_mcp.model.errors import InvalidInput

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::([0-9]{1,5}))?")

Headers = Mapping[bytes, Sequence[bytes]]


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, list[bytes]]:
    """The request's headers by lower-case name, each with all its values."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a request comes from, and by which scheme the client sent it."""

    address: str
    scheme: str

    @property
    def group(self) -> str:
        """What is counted together: an IPv4 address, or the /64 that one IPv6 subscriber has."""
        ip = _ip(self.address)
        return str(ipaddress.ip_network((ip, 64), strict=False)) if ip and ip.version == 6 else self.address


def peer_of(scope: Mapping[str, Any], headers: Headers, proxies: Sequence[Network]) -> Peer:
    """The client; what ``X-Forwarded-For`` and ``-Proto`` say counts only from a proxy that was named.

    Of the addresses in the header the last that no named proxy has is the client's: those before it are whatever
    the client wrote there itself.
    """
    client = scope.get("client")
    peer = Peer(str(client[0]) if client else "", str(scope.get("scheme", "http")))
    if not within(peer.address, proxies):
        return peer
    said = [part.strip() for value in headers.get(b"x-forwarded-for", ()) for part in _text(value).split(",")]
    address = peer.address
    for hop in reversed(said):
        if _ip(hop) is None:
            break
        address = hop
        if not within(hop, proxies):
            break
    proto = [_text(value).strip().lower() for value in headers.get(b"x-forwarded-proto", ())]
    return Peer(address, proto[0] if proto in (["http"], ["https"]) else peer.scheme)


class Names:
    """The values of ``Host`` and ``Origin`` that the server answers to.

    DNS rebinding makes a browser send a foreign name to this address, and a page elsewhere sends its own origin; so
    both must be a name that somebody gave this server.
    """

    def __init__(self, settings: HttpSettings) -> None:
        own = {settings.host} if settings.host not in EVERYWHERE else set()
        if settings.host in LOOPBACK | EVERYWHERE:
            own |= LOOPBACK
        self._known: set[tuple[str, str | None]] = {(_bracketed(name.lower()), str(settings.port)) for name in own}
        self._everywhere = settings.host in EVERYWHERE
        for text in settings.allow_hosts:
            match = _AUTHORITY.fullmatch(text.lower())
            if match is None:
                raise InvalidInput(
                    f"{text[:80]!a} is no host name.",
                    hint="Give a name, or name:port: --allow-host mcp.example.org",
                    code="bad_host",
                )
            self._known.add((match[1], match[2]))

    def host(self, values: Sequence[bytes], peer: Peer, server: Sequence[Any] | None) -> str | None:
        """The ``Host`` header's one value, lower-case, where it names this server; else None."""
        if len(values) != 1 or (match := _AUTHORITY.fullmatch(_text(values[0]).lower())) is None:
            return None
        name, port = match[1], match[2] or ("443" if peer.scheme == "https" else "80")
        if (name, port) in self._known or (name, None) in self._known:
            return match[0]
        # A name can be rebound, an address cannot: the one that this very connection came in on is ours.
        if self._everywhere and server and (name, port) == (_bracketed(_plain(str(server[0]))), str(server[1])):
            return match[0]
        return None

    def origin(self, values: Sequence[bytes], host: str, peer: Peer) -> bool:
        """Whether a page of that origin may call: one of this server's own, or no page at all."""
        if not values:
            return True
        # Served over TLS by a proxy that was not named, the scheme seen here is http.
        schemes = {"https", peer.scheme}
        return len(values) == 1 and _text(values[0]).lower() in {f"{scheme}://{host}" for scheme in schemes}


def within(address: str, networks: Iterable[Network]) -> bool:
    """Whether the text is an IP address in one of the networks."""
    ip = _ip(address)
    return ip is not None and any(ip in network for network in networks)


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket that takes both kinds shows IPv4 peers as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def _plain(address: str) -> str:
    return str(_ip(address) or address)


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _text(value: bytes) -> str:
    return value.decode("latin-1")
