"""VPN providers that Gluetun knows, and what each of them needs.

Facts: qdm12/gluetun-wiki, ``setup/providers/<name>.md``, ``setup/advanced/vpn-port-forwarding.md`` and
``setup/wireguard.md`` (snapshot of August 2026). Providers without WireGuard of their own take it as ``custom``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from homelab_mcp.model.errors import InvalidInput

_USER, _PASSWORD = "OPENVPN_USER", "OPENVPN_PASSWORD"
_KEY, _ADDRESSES, _SHARED = "WIREGUARD_PRIVATE_KEY", "WIREGUARD_ADDRESSES", "WIREGUARD_PRESHARED_KEY"
_LOGIN = (_USER, _PASSWORD)
_NATIVE = "VPN_PORT_FORWARDING"
_BY_HAND = "FIREWALL_VPN_INPUT_PORTS"

SECRETS = frozenset({_USER, _PASSWORD, _KEY, _SHARED})
"""Variables that only a person sets, in the stack's ``.env``."""

KNOWN_VARIABLES: Mapping[str, str] = {
    _USER: "User name for OpenVPN at the provider, often not the one of its web site.",
    _PASSWORD: "Password that goes with OPENVPN_USER.",
    _KEY: "Private key (PrivateKey) of the provider's WireGuard configuration.",
    _ADDRESSES: "Address of the tunnel's own end with its prefix (Address), such as 10.64.0.2/32.",
    _SHARED: "Pre-shared key (PresharedKey) of the provider's WireGuard configuration.",
    "WIREGUARD_PUBLIC_KEY": "The server's public key (PublicKey).",
    "WIREGUARD_ENDPOINT_IP": "The server's IP address (Endpoint); a name does not work.",
    "WIREGUARD_ENDPOINT_PORT": "The server's port (Endpoint).",
    "OPENVPN_CUSTOM_CONFIG": "Path in the container of your OpenVPN file, such as /gluetun/custom.conf.",
}
"""What each variable is, for the person who sets it."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    Args:
        id: as Gluetun writes it in VPN_SERVICE_PROVIDER.
        name: as people write it.
        wireguard: variables that WireGuard needs; None where it goes through ``custom`` only.
        openvpn: variables that OpenVPN needs; None where the provider has none (any more).
        forwarding: the variable that lets a port in (switched on, or the port's number); "" for none.
        forwarding_types: kinds of tunnel with which that works.
        note: what else a person should know.
    """

    id: str
    name: str
    wireguard: tuple[str, ...] | None
    openvpn: tuple[str, ...] | None
    forwarding: str = ""
    forwarding_types: tuple[str, ...] = ("wireguard", "openvpn")
    note: str = ""
    aliases: tuple[str, ...] = field(default=())

    @property
    def types(self) -> tuple[str, ...]:
        """The kinds of tunnel it offers, the better one first."""
        offered = (("wireguard", self.wireguard), ("openvpn", self.openvpn))
        return tuple(kind for kind, needs in offered if needs is not None)

    def needs(self, kind: str) -> tuple[str, ...]:
        """The variables that a kind of tunnel needs.

        Raises:
            InvalidInput: the provider does not offer it (code ``vpn_type_not_offered``).
        """
        found = {"wireguard": self.wireguard, "openvpn": self.openvpn}.get(kind)
        if found is None:
            ways = f"Use type {' or '.join(self.types)}"
            custom = ", or provider custom with the provider's WireGuard file" if kind == "wireguard" else ""
            raise InvalidInput(
                f"Gluetun has no {kind} for {self.name}.", hint=f"{ways}{custom}.", code="vpn_type_not_offered"
            )
        return found


_AS_CUSTOM = "WireGuard works with provider custom and the values of the provider's WireGuard file."
PROVIDERS: Mapping[str, Provider] = {
    p.id: p
    for p in (
        Provider("mullvad", "Mullvad", (_KEY, _ADDRESSES), None, note="It ended OpenVPN in January 2026."),
        Provider("nordvpn", "NordVPN", (_KEY,), _LOGIN, note="OpenVPN wants the service credentials of its web site."),
        Provider(
            "protonvpn",
            "Proton VPN",
            (_KEY,),
            _LOGIN,
            _NATIVE,
            note="For a forwarded port make the WireGuard file with NAT-PMP on. OpenVPN has a user name of its own.",
            aliases=("proton",),
        ),
        Provider("surfshark", "Surfshark", (_KEY, _ADDRESSES), _LOGIN, note="OpenVPN wants the manual-setup log-in."),
        Provider(
            "private internet access",
            "Private Internet Access",
            None,
            _LOGIN,
            _NATIVE,
            ("openvpn",),
            _AS_CUSTOM,
            aliases=("pia", "private-internet-access", "privateinternetaccess"),
        ),
        Provider(
            "airvpn",
            "AirVPN",
            (_KEY, _SHARED, _ADDRESSES),
            (),
            _BY_HAND,
            note="OpenVPN needs its client key and certificate as files in Gluetun's data folder.",
        ),
        Provider("windscribe", "Windscribe", (_KEY, _ADDRESSES, _SHARED), _LOGIN, _BY_HAND),
        Provider(
            "ivpn", "IVPN", (_KEY, _ADDRESSES), (_USER,), note="An e-mail as OPENVPN_USER needs the password too."
        ),
        Provider("expressvpn", "ExpressVPN", None, _LOGIN),
        Provider(
            "cyberghost",
            "CyberGhost",
            None,
            _LOGIN,
            note="It also needs the client key and certificate as files in Gluetun's data folder.",
        ),
        Provider("purevpn", "PureVPN", None, _LOGIN, note=_AS_CUSTOM),
        Provider("torguard", "TorGuard", None, _LOGIN, note=_AS_CUSTOM),
        Provider("fastestvpn", "FastestVPN", (_KEY, _ADDRESSES), _LOGIN),
        Provider("privatevpn", "PrivateVPN", None, _LOGIN, _NATIVE, ("openvpn",), _AS_CUSTOM),
        Provider("perfect privacy", "Perfect Privacy", None, _LOGIN, _NATIVE, ("openvpn",)),
        Provider("vyprvpn", "VyprVPN", None, _LOGIN, _BY_HAND, ("openvpn",), _AS_CUSTOM),
        Provider("ipvanish", "IPVanish", None, _LOGIN),
        Provider("hidemyass", "HideMyAss", None, _LOGIN, aliases=("hma",)),
        Provider(
            "custom",
            "Custom",
            (_KEY, _ADDRESSES, "WIREGUARD_PUBLIC_KEY", "WIREGUARD_ENDPOINT_IP", "WIREGUARD_ENDPOINT_PORT"),
            ("OPENVPN_CUSTOM_CONFIG",),
            _BY_HAND,
            note="For WireGuard copy the values of the provider's file, a PresharedKey too where it has one.",
        ),
    )
}
"""By id, in the order in which they are listed."""


def provider_of(word: str) -> Provider:
    """The provider of that id, name or alias, in any case.

    Raises:
        InvalidInput: none is called that (code ``vpn_provider_unknown``).
    """
    wanted = " ".join(word.lower().split())
    for provider in PROVIDERS.values():
        if wanted in (provider.id, provider.name.lower(), *provider.aliases):
            return provider
    raise InvalidInput(
        f"Gluetun's provider {word!r} is not known here.",
        hint=f"One of: {', '.join(PROVIDERS)}. Any other works as custom, with the values of its WireGuard file.",
        code="vpn_provider_unknown",
    )
