"""Compose's ``ports``, short and long form (Compose Specification, "ports")."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


class PublishedInvalid(ValueError):
    """No port Compose can read; the text is the sentence for a person, ``field`` the long form's key it is about."""

    field = ""


@dataclass(frozen=True, slots=True)
class Published:
    """A port or range. ``host`` None: the engine picks; ``address`` "" is every address of the host.

    Ranges are (first, last). ``picks`` is set when the engine chooses one port out of the host range.
    """

    container: tuple[int, int]
    host: tuple[int, int] | None
    address: str
    protocol: str
    picks: bool = False

    @property
    def everywhere(self) -> bool:
        """True when it is published on every address of the host."""
        return self.host is not None and self.address in {"", "0.0.0.0", "::"}  # noqa: S104

    def collides(self, other: Published) -> bool:
        """True when both cannot be published on one host."""
        if not self.host or not other.host or self.picks or other.picks or self.protocol != other.protocol:
            return False
        if self.host[1] < other.host[0] or other.host[1] < self.host[0]:
            return False
        if self.address and other.address and (":" in self.address) != (":" in other.address):
            # Seen with Docker 20 and later: 0.0.0.0:80 and [::]:80 are two sockets that do not get in each other's way.
            return False
        return self.everywhere or other.everywhere or self.address == other.address

    @property
    def shown(self) -> str:
        """The host side as people write it."""
        if not self.host:
            return ""
        first, last = self.host
        span = str(first) if first == last else f"{first}-{last}"
        address = f"{self.address}:" if self.address else ""
        if ":" in self.address:
            address = f"[{self.address}]:"
        return f"{address}{span}/{self.protocol}"


def parse_port(item: Any) -> Published:
    """One item of ``ports``.

    Raises:
        PublishedInvalid: it is none.
    """
    if isinstance(item, bool) or item is None:
        raise PublishedInvalid('a port is a number or text such as "8080:80".')
    if isinstance(item, dict):
        return _long(item)
    if isinstance(item, float):
        raise PublishedInvalid(f"{item} is no port.")
    return _short(str(item))


def _short(text: str) -> Published:
    rest, slash, protocol = text.partition("/")
    protocol = _protocol(protocol if slash else "tcp", text)
    address, host = "", ""
    if rest.startswith("["):
        address, bracket, rest = rest[1:].partition("]")
        if not bracket or not rest.startswith(":"):
            raise PublishedInvalid(f"{text!r} is no port: an IPv6 address is written [address]:host:container.")
        rest = rest[1:]
    parts = rest.rsplit(":", 2)
    container = parts[-1]
    if len(parts) > 1:
        host = parts[-2]
    if len(parts) > 2:
        address = parts[0]
    if address:
        _check_address(address, text)
    inside = _span(container, text)
    if not host:
        return Published(inside, None, address, protocol)
    return _paired(inside, _span(host, text), address, protocol, text)


def _long(item: dict[Any, Any]) -> Published:
    target = item.get("target")
    if target is None:
        raise PublishedInvalid("the long form needs 'target', the container's port.")
    address, published = str(item.get("host_ip") or ""), item.get("published")
    with _about("protocol"):
        protocol = _protocol(str(item.get("protocol") or "tcp"), str(item.get("protocol")))
    with _about("target"):
        inside = _span(str(target), str(target))
    with _about("host_ip"):
        if address:
            _check_address(address, address)
    if published in (None, ""):
        return Published(inside, None, address, protocol)
    with _about("published"):
        return _paired(inside, _span(str(published), str(published)), address, protocol, str(published))


@contextmanager
def _about(field: str) -> Iterator[None]:
    try:
        yield
    except PublishedInvalid as error:
        error.field = field
        raise


def _paired(inside: tuple[int, int], outside: tuple[int, int], address: str, protocol: str, text: str) -> Published:
    wide, ports = inside[1] - inside[0], outside[1] - outside[0]
    if wide and wide != ports:
        raise PublishedInvalid(f"{text!r}: {wide + 1} container ports cannot go to {ports + 1} host ports.")
    return Published(inside, outside, address, protocol, picks=bool(ports) and not wide)


def _span(text: str, whole: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if not match:
        raise PublishedInvalid(f"{whole!r} is no port: it is written [address:][host:]container[/protocol].")
    first = int(match.group(1))
    last = int(match.group(2) or first)
    if last > 65535 or first > 65535:
        raise PublishedInvalid(f"{whole!r}: ports end at 65535.")
    if last < first:
        raise PublishedInvalid(f"{whole!r}: the range runs backwards.")
    return first, last


def _protocol(protocol: str, text: str) -> str:
    if protocol.lower() not in PROTOCOLS:
        raise PublishedInvalid(f"{text!r}: the protocol is tcp, udp or sctp.")
    return protocol.lower()


def _check_address(address: str, text: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise PublishedInvalid(f"{text!r}: {address!r} is no IP address.") from None
