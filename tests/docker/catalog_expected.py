"""How each service of the catalog must be reached, and where the deployed lab puts it."""

from __future__ import annotations

from dataclasses import dataclass


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
