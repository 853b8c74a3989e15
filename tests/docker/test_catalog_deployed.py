"""Every definition started behind a real Traefik: its API, HTTPS, the log-in, private networks, owners, undo.

Real here: Docker, Compose, Traefik, the ACME certificate authority, every certificate and request, and all of
homelab-mcp. Stand-ins: the services themselves and the log-in, small web servers under the real images' names (where
those are not on the machine). The VPN gateway is one too: its container gets NET_ADMIN and /dev/net/tun as the
definition asks, and lends its network to the service behind it, but opens no tunnel.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.proposals import propose_rollback
from testbed import Scratch, TestbedError
from testbed.definitions import provide
from testbed.docker_engine import docker
from tests.docker.lab import REQUESTER, SESSION, RealLab, tunnel_device

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Expected:
    """How a service must be reached, said here a second time on purpose."""

    subdomain: str
    port: int
    protected: bool = True
    open_paths: tuple[str, ...] = ()
    closed_paths: tuple[str, ...] = ()


WEB = {
    "dockge": Expected("dockge", 5001),
    "homepage": Expected("homepage", 3000),
    "uptime-kuma": Expected(
        "uptime-kuma", 3001, open_paths=("/api/push/token",), closed_paths=("/api/pushed", "/api/status-page/x")
    ),
    "dozzle": Expected("dozzle", 8080),
    "jellyfin": Expected("jellyfin", 8096, protected=False),
    "qbittorrent": Expected("qbittorrent", 8080),
    "nextcloud": Expected(
        "nextcloud",
        80,
        open_paths=(
            "/status.php",
            "/remote.php/dav/files/x",
            "/ocs/v2.php/cloud/user",
            "/.well-known/caldav",
            "/public.php/webdav",
            "/index.php/login/v2",
            "/login/v2/poll",
        ),
        closed_paths=("/index.php/apps/files", "/login", "/status.phpx", "/ocs-not", "/x/status.php"),
    ),
    "grafana": Expected("grafana", 3000),
    "prometheus": Expected("prometheus", 9090),
    "whoami": Expected("whoami", 80),
    "authelia": Expected("auth", 9091, protected=False),
}
STACK_OF = {
    "authelia": "core",
    "traefik": "core",
    "dockge": "infrastructure",
    "dozzle": "infrastructure",
    "homepage": "infrastructure",
    "grafana": "monitoring",
    "prometheus": "monitoring",
    "uptime-kuma": "monitoring",
    "whoami": "monitoring",
    "jellyfin": "media",
    "qbittorrent": "vpn",
    "nextcloud": "productivity",
}
"""In the order in which they are added: Traefik and the log-in first."""
DEPLOYED = {*STACK_OF, "gluetun"}
VPN = {"VPN_SERVICE_PROVIDER": "mullvad"}


@pytest.fixture(scope="module")
def lab(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLab]:
    with Scratch() as scratch, tunnel_or_fail():
        provide(d for d in packaged_definitions() if d.id in DEPLOYED)
        made = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        # Written, never started: it takes the gateway's usual name, so that qBittorrent's gets one of its own.
        made.write("gluetun", "spare", name="gluetun", variables=VPN)
        made.stacks.remove(made.named("spare"))
        for service in ("traefik", "authelia", *(s for s in STACK_OF if s not in {"traefik", "authelia"})):
            options = {"variables": VPN} if service == "qbittorrent" else {}
            made.write(service, STACK_OF[service], **options)
        made.start()
        yield made


def tunnel_or_fail():
    return tunnel_device()
