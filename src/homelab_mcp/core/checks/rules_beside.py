"""HL274, HL275: services that work for another one, and miss it: backups of nothing, ports of nobody."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.listening import listens, main_port
from homelab_mcp.core.checks.rules_data import place_of
from homelab_mcp.model.finding import Finding, Severity

SAFE = "services:\n  safe:\n    image: vaultwarden/server:1.34.3\n    volumes: ['./data:/data']\n"
BACKUP = "  backup:\n    image: ttionya/vaultwarden-backup:1.24.0\n"
VPN = (
    "services:\n  vpn:\n    image: qmcgaw/gluetun:v3.40.0\n    cap_add: [NET_ADMIN]\n"
    "    ports: ['127.0.0.1:8080:8080']\n"
    "  torrent:\n    image: linuxserver/qbittorrent:5.1.2\n    network_mode: service:vpn\n"
    "    volumes: ['./q:/config']\n"
)


@rule(
    "HL274",
    Severity.WARNING,
    "A backup of a folder that nobody writes",
    why="The backup runs, says that all is well, and has nothing in it: one finds out on the day it is needed.",
    link="https://docs.docker.com/engine/storage/volumes/#back-up-restore-or-migrate-data-volumes",
    bad=f"{SAFE}{BACKUP}    volumes: ['./vaultwarden:/bitwarden/data:ro']\n",
    good=f"{SAFE}{BACKUP}    volumes: ['./data:/bitwarden/data:ro']\n",
    needs="volumes",
)
def empty_backup(ctx: LintContext) -> Iterable[Finding]:
    """A backup's read-only mount of a folder of the stack, or of a volume, that no other service mounts."""
    for service in ctx.having("volumes"):
        name = f"{service.name} {service.image_name}".lower()
        others = [s for s in service.stack.services if s is not service]
        if not any(w in name for w in _BACKUPS) or not others or service.stack.partial or service.partial:
            continue
        written = {p for s in ctx.services() if s is not service for m in s.mounts if (p := place_of(s, m))}
        if any(m.open for s in others for m in s.mounts):
            continue
        for mount in service.mounts:
            place = place_of(service, mount)
            inside = mount.kind == "volume" or mount.source.startswith("./")
            reads = mount.read_only or mount.target.startswith("/bitwarden/data")
            if not place or not reads or not inside or mount.source in {"./", "."} or _is_file(mount.source):
                continue
            if not any(_touch(place, other) for other in written):
                yield ctx.on(service, mount.at("source"), f"No other service keeps anything in {mount.source}.")


_BACKUPS = ("backup", "restic", "borg", "duplicati", "kopia", "autorestic")


def _is_file(source: str) -> bool:
    return "." in posixpath.basename(source.rstrip("/")).lstrip(".")


def _touch(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


@rule(
    "HL275",
    Severity.WARNING,
    "A port of the gateway at which nobody listens",
    why="A program that borrows the network of another one is reached through the ports of that. Here the port that "
    "is published is its usual one, and it was told to listen on another.",
    link="https://github.com/qdm12/gluetun-wiki/blob/main/setup/connect-a-container-to-gluetun.md",
    bad=f"{VPN}    environment: {{WEBUI_PORT: 8085}}\n",
    good=f"{VPN}    environment: {{WEBUI_PORT: 8080}}\n",
    needs="network_mode",
)
def nobody_listens(ctx: LintContext) -> Iterable[Finding]:
    """The owner of a network publishes a client's usual port, the client's variable tells another, not published."""
    for client in ctx.having("network_mode"):
        kind, _, name = client.network_mode.partition(":")
        owner = client.stack.service(name) if kind == "service" else None
        if owner is None or owner.partial or client.partial:
            continue
        told = {port: path for port, path in listens(client).items() if path and path[0] == "environment"}
        inside = [(e, p) for e, p in owner.published if p.protocol == "tcp"]
        ranges = [p.container for _, p in inside]
        if not told or any(low <= port <= high for port in told for low, high in ranges):
            continue
        clients = [s for s in client.stack.services if s.network_mode == client.network_mode and s is not client]
        taken = {port for s in [*clients, owner] for port in (*listens(s), main_port(s))}
        for entry, published in inside:
            port = published.container[0]
            if port == main_port(client) and port not in taken:
                message = f"{client.name!r} listens on {min(told)}, and {port} leads to nobody."
                yield ctx.on(owner, entry.at("target"), message)
