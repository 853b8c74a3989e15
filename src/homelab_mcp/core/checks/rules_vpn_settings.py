"""HL335: settings with which the VPN gateway gluetun ends at its start."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

HEAD = (
    "services:\n  gluetun:\n    image: qmcgaw/gluetun:v3.40.0\n    cap_add: [NET_ADMIN]\n    devices: [/dev/net/tun]\n"
    "    environment:\n      VPN_PORT_FORWARDING: 'on'\n      OPENVPN_USER: me\n      OPENVPN_PASSWORD: '${P:-x}'\n"
    "      VPN_SERVICE_PROVIDER: "
)
_FORWARDS = frozenset({"cryptostorm", "perfect privacy", "private internet access", "privatevpn", "protonvpn"})
"""Providers that gluetun asks for a forwarded port (its settings, "PortForwarding.Validate")."""
_SWITCHES = ("VPN_PORT_FORWARDING", "PORT_FORWARDING", "PRIVATE_INTERNET_ACCESS_VPN_PORT_FORWARDING")
_YES = frozenset({"on", "yes", "true", "1", "enabled"})


@rule(
    "HL335",
    Severity.ERROR,
    "Settings with which the VPN gateway does not start",
    why="gluetun checks its settings before it starts: with port forwarding at a provider that it cannot ask for a "
    "port, or WireGuard without its addresses, it ends, and everything that uses its network has none.",
    link="https://github.com/qdm12/gluetun-wiki/tree/main/setup",
    bad=f"{HEAD}mullvad\n",
    good=f"{HEAD}privatevpn\n",
    needs="environment",
)
def cannot_start(ctx: LintContext) -> Iterable[Finding]:
    """``VPN_PORT_FORWARDING`` with a provider that gives no port, what WireGuard lacks, and the host's network."""
    for service in ctx.having("environment"):
        if service.image_name != "gluetun" or service.partial:
            continue
        if service.network_mode == "host":
            message = "On the host's network its firewall rules become the host's."
            yield ctx.on(service, ("network_mode",), message, severity=Severity.WARNING)
        yield from _wireguard(ctx, service)
        given = service.environment
        switch = next((given[s] for s in _SWITCHES if s in given), None)
        named = given.get("VPN_PORT_FORWARDING_PROVIDER")
        provider = (given[k] for k in ("VPN_SERVICE_PROVIDER", "VPNSP") if k in given)
        chosen = named if named and named.value else next(provider, None)
        if switch is None or chosen is None or switch.open or chosen.open:
            continue
        name = (chosen.value or "").strip().lower()
        if (switch.value or "").strip().lower() in _YES and name and name not in _FORWARDS:
            listed = ", ".join(sorted(_FORWARDS))
            yield ctx.on(service, switch.path, f"{name} gives no port; these do: {listed}.")


_NEEDED = {
    "custom": ("WIREGUARD_ENDPOINT_IP", "WIREGUARD_ENDPOINT_PORT", "WIREGUARD_PUBLIC_KEY", "WIREGUARD_ADDRESSES"),
    **dict.fromkeys(("mullvad", "ivpn", "windscribe", "surfshark", "fastestvpn", "ovpn"), ("WIREGUARD_ADDRESSES",)),
    "airvpn": ("WIREGUARD_ADDRESSES", "WIREGUARD_PRESHARED_KEY"),
}
"""Provider -> what WireGuard needs beside the private key (gluetun's settings, "Validate")."""
_OTHER_NAMES = {
    "WIREGUARD_ENDPOINT_IP": "VPN_ENDPOINT_IP",
    "WIREGUARD_ENDPOINT_PORT": "VPN_ENDPOINT_PORT",
    "WIREGUARD_ADDRESSES": "WIREGUARD_ADDRESS",
}
"""Names of before that gluetun still reads (its settings, "RetroKeys")."""
_CONF = "/gluetun/wireguard/wg0.conf"


def _wireguard(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    """Variables that WireGuard cannot do without, where no file may have them."""
    given = service.environment
    kind, provider = (given.get(k) for k in ("VPN_TYPE", "VPN_SERVICE_PROVIDER"))
    if kind is None or provider is None or kind.open or provider.open or (kind.value or "").lower() != "wireguard":
        return
    by_file = any("SECRETFILE" in k for k in given) or service.data.get("secrets") or service.data.get("env_file")
    by_file = by_file or any(m.target.startswith("/run/secrets") for m in service.mounts)
    if by_file or _may_have_conf(service) or "WIREGUARD_PRIVATE_KEY" not in given:
        return
    for name in _NEEDED.get((provider.value or "").strip().lower(), ()):
        if not _is_told(given.get(name)) and not _is_told(given.get(_OTHER_NAMES.get(name, ""))):
            yield ctx.on(service, provider.path, f"With {provider.value} WireGuard needs {name}.")
            return


def _is_told(entry: Entry | None) -> bool:
    """False where a variable is not there or written as empty; one without a word gets the shell's.

    What ``.env`` is still to be given (``${NAME}``, empty there) is missing today, and told as that by other rules.
    """
    return entry is not None and (entry.open or entry.value is None or "$" in entry.raw or bool(entry.value.strip()))


def _may_have_conf(service: ServiceView) -> bool:
    """True where a configuration file may be mounted: only a folder of the stack can be looked into."""
    for mount in service.mounts:
        if not f"{_CONF}/".startswith(f"{mount.target.rstrip('/')}/"):
            continue
        exists = service.stack.exists
        inside = _CONF[len(mount.target.rstrip("/")) + 1 :]
        seen = exists is not None and mount.kind == "bind" and mount.source.startswith(".") and not mount.open
        if not seen or exists is None or not inside or exists(posixpath.join(mount.source, inside)):
            return True
    return False
