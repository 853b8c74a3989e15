"""What can be said of a VPN gateway and those behind it, from what was seen.

Facts: qdm12/gluetun-wiki ``faq/firewall.md`` (the firewall is the kill switch), ``setup/options/dns.md`` and
``setup/options/firewall.md``; Gluetun answers name look-ups itself at 127.0.0.1 in the network that it lends.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ADDRESS_FILE = "/tmp/gluetun/ip"  # noqa: S108
"""Where Gluetun writes the address that the internet sees it with (``PUBLICIP_FILE``, in releases before 4)."""

_DOCKERS_OWN = "127.0.0.11"
_OFF = frozenset({"off", "no", "false", "0"})


@dataclass(frozen=True, slots=True)
class SeenClient:
    """A service behind a gateway as it was seen.

    Args:
        name: its service name.
        running: whether it is up.
        in_network: whether it lives in the network of the gateway that runs now; None where nobody could look.
        address: what the internet sees it with; "" where that could not be asked.
        servers: the name servers it asks; None where that could not be read.
        dns: name servers that its compose file gives it.
    """

    name: str
    running: bool
    in_network: bool | None
    address: str = ""
    servers: tuple[str, ...] | None = None
    dns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenGateway:
    """A gateway as it was seen; ``env`` are its variables, without secrets."""

    where: str
    state: str
    health: str
    address: str
    servers: tuple[str, ...] | None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    clients: Sequence[SeenClient] = ()


def verdict(seen: SeenGateway, host: str) -> dict[str, Any]:
    """What to tell of a gateway: ``verdict`` ok (seen to be so), bad (something leaks or is down) or unseen.

    The host's own address is compared and never told.
    """
    up = seen.state == "running" and seen.health in ("healthy", "")
    bad = list(_bad(seen, host, up=up))
    unseen = list(_unseen(seen, host)) if up else []
    result: dict[str, Any] = {
        "gateway": seen.where,
        "state": seen.state or "missing",
        "health": seen.health,
        "address": "" if seen.address == host else seen.address,
        "verdict": "bad" if bad else "unseen" if unseen else "ok",
        "clients": [_client(c, seen, host) for c in seen.clients],
        "problems": bad,
        "not_seen": unseen,
    }
    return {k: v for k, v in result.items() if v not in ("", []) or k == "clients"}


def name_servers(text: str | None) -> tuple[str, ...] | None:
    """The name servers of a ``resolv.conf``; None where it could not be read."""
    if text is None:
        return None
    words = (line.split() for line in text.splitlines())
    return tuple(w[1] for w in words if len(w) > 1 and w[0] == "nameserver")


def _client(one: SeenClient, seen: SeenGateway, host: str) -> dict[str, Any]:
    how = "asked" if one.address else "by its network" if one.in_network else "not seen"
    address = one.address or (seen.address if one.in_network else "")
    row: dict[str, Any] = {"service": one.name, "address": "" if address == host else address, "how": how}
    return {k: v for k, v in row.items() if v != ""}


def _bad(seen: SeenGateway, host: str, *, up: bool) -> Iterator[str]:
    if not up:
        word = seen.health if seen.state == "running" else seen.state or "missing"
        yield f"The gateway is {word}: the tunnel is down, and those behind it reach nothing."
    if host and seen.address == host:
        yield "The gateway is seen with the host's own address: its traffic does not go through the VPN."
    for one in seen.clients:
        if one.running and one.in_network is False:
            yield f"{one.name} is not in the network of the gateway that runs now: recreate it with the gateway."
        if host and one.address == host:
            yield f"{one.name} is seen with the host's own address: its traffic does not go through the VPN."
    yield from _kill_switch(seen.env)
    yield from _leaks(seen)


def _kill_switch(env: Mapping[str, str]) -> Iterator[str]:
    if env.get("FIREWALL", "").lower() in _OFF:
        yield "The gateway's firewall is off (FIREWALL): when the tunnel is down, traffic goes out in the open."
    for subnet in env.get("FIREWALL_OUTBOUND_SUBNETS", "").split(","):
        try:
            network = ipaddress.ip_network(subnet.strip(), strict=False)
        except ValueError:
            continue
        if not network.is_private:
            yield f"FIREWALL_OUTBOUND_SUBNETS lets {subnet.strip()} go out beside the tunnel."


def _leaks(seen: SeenGateway) -> Iterator[str]:
    env = seen.env
    if env.get("DOT", "").lower() in _OFF or env.get("DNS_SERVER", "").lower() in _OFF:
        yield "The gateway's own name server is off (DOT, DNS_SERVER)."
    plain = env.get("DNS_UPSTREAM_PLAIN_ADDRESSES") or env.get("DNS_ADDRESS") or ""
    for word in _beside((w.strip().rpartition(":")[0] or w.strip() for w in plain.split(",")), private_only=True):
        yield f"Name look-ups go to {word}, at home and beside the tunnel."
    for who, servers in (("The gateway", seen.servers), *((c.name, c.servers) for c in seen.clients)):
        for word in _beside(servers or ()):
            whose = "Docker's, which asks the host's" if word == _DOCKERS_OWN else "not the gateway's own"
            yield f"{who} asks the name server {word}, {whose}: a DNS leak."
    for one in seen.clients:
        if one.dns:
            yield f"{one.name} is given name servers of its own ({', '.join(one.dns)}): a DNS leak."


def _beside(servers: Iterable[str], *, private_only: bool = False) -> Iterator[str]:
    """Name servers that are not in the gateway's own network."""
    for word in dict.fromkeys(servers):
        try:
            address = ipaddress.ip_address(word.partition("%")[0])
        except ValueError:
            continue
        if address.is_loopback and word != _DOCKERS_OWN:
            continue
        if not private_only or address.is_private:
            yield word


def _unseen(seen: SeenGateway, host: str) -> Iterator[str]:
    if not host:
        yield "The host's own address: nobody on the internet answered, so nothing can be compared with it."
    if not seen.address:
        yield "The address that the internet sees the gateway with."
    if seen.servers is None:
        yield "Which name servers the gateway asks."
    for one in seen.clients:
        if not one.running:
            yield f"{one.name} does not run."
        elif one.in_network is None:
            yield f"Whether {one.name} is in the gateway's network: nobody looks into containers of another host."
