"""Where the page is served: which Host and Origin are its own, and who may speak for a browser behind a proxy."""

from __future__ import annotations

import getpass
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from homelab_mcp.core.redact import clean
from homelab_mcp.model.errors import InvalidInput

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Site:
    """One page's address.

    Args:
        hosts: values of the Host header that are answered, lower-case.
        origins: values of the Origin header that are answered.
        secure: browsers reach it over https, so the cookie is for https alone.
        proxies: from whom ``X-Forwarded-For`` and ``Remote-User`` count.
        account: whose name the journal gets where no proxy tells it.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    secure: bool
    proxies: tuple[Network, ...] = ()
    account: str = ""


def site(host: str, port: int, *, url: str = "", proxies: Iterable[str] = (), remote: bool = False) -> Site:
    """The site at that address; ``url`` is how browsers reach it through a proxy that ends TLS.

    Raises:
        InvalidInput: tls_required (not loopback, without an https ``url``), remote_refused (without ``remote``),
            bad_url, bad_proxy.
    """
    if host not in LOOPBACK:
        if not remote:
            raise InvalidInput(
                f"On {host} the approval page would be open to everybody who reaches that address.",
                code="remote_refused",
                hint="Serve it on 127.0.0.1, or add --allow-remote with --url https://... and TLS in front of it.",
            )
        if not url.startswith("https://"):
            raise InvalidInput(
                "Beyond this machine the PIN must not travel in the clear.",
                code="tls_required",
                hint="Put TLS in front of it (Traefik does) and give the address that browsers use: --url https://...",
            )
    networks = tuple(_network(p) for p in proxies if p.strip())
    if url:
        scheme, name = _parts(url)
        tail = {"https": ":443", "http": ":80"}[scheme]
        names = {name, name.removesuffix(tail), f"{name.removesuffix(tail)}{tail}"}
        return Site(
            frozenset(names), frozenset(f"{scheme}://{n}" for n in names), scheme == "https", networks, _account()
        )
    names = {f"{n}:{port}" for n in ("127.0.0.1", "localhost", "[::1]")}
    return Site(frozenset(names), frozenset(f"http://{n}" for n in names), False, networks, _account())


def client_of(site: Site, peer: str, forwarded: str, user: str) -> tuple[str, str]:
    """(address, account) of whoever asks: what a proxy of ours says of them, else their own address."""
    if not any(_address(peer) in network for network in site.proxies):
        return _group(peer), site.account
    # The last one is what our own proxy saw; those before it are the caller's own words.
    return _group(forwarded.rsplit(",", 1)[-1].strip() or peer), clean(user).strip()[:64] or site.account


def _parts(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc or parts.path not in {"", "/"}:
        raise InvalidInput(
            "The page's address is not one.", code="bad_url", hint="For example: --url https://approvals.example.org"
        )
    if parts.scheme == "http" and (parts.hostname or "") not in LOOPBACK:
        raise InvalidInput(
            "Beyond this machine the PIN must not travel in the clear.", code="tls_required", hint="Give an https URL."
        )
    return parts.scheme, parts.netloc.lower()


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise InvalidInput(
            "A proxy's address is not one.", code="bad_proxy", hint="For example: --proxy 172.18.0.0/16"
        ) from None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return ipaddress.ip_address("::")


def _group(text: str) -> str:
    """The address that tries are counted for: of IPv6 its /64, as one caller has that many."""
    address = _address(text)
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if address.version == 6 else str(address)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "person"
