"""Which ports a service's program listens on, as far as its variables or its image tell."""

from __future__ import annotations

import re
from collections.abc import Collection

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.core.yaml12 import Path


def listens(service: ServiceView) -> dict[int, Path]:
    """Ports its program listens on in a network that it shares, and what says so."""
    told = port_variables(service)
    labelled = [e for _, e in tl.port_labels(service) if service.network_mode]
    given: dict[int, Path] = {}
    for entry in [*told, *labelled]:
        if _is_port(entry):
            given.setdefault(int(entry.value or 0), entry.path)
    own_words = any(service.data.get(field) for field in ("command", "entrypoint"))
    port = _PORTS.get(service.image_name, 0)
    if port and not given and not told and not own_words:
        given[port] = ()
    return given


def checked_ports(service: ServiceView) -> set[int]:
    """The container's own ports that its health check asks by HTTP."""
    check = service.data.get("healthcheck")
    test = check.get("test") if isinstance(check, dict) else None
    text = " ".join(map(str, test)) if isinstance(test, list) else str(test or "")
    found = _CHECKED.findall(text) if "http" in text else []
    return {int(port or ("443" if scheme == "https" else "80")) for scheme, port in found}


_CHECKED = re.compile(r"(https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::([0-9]{1,5}))?(?=[/\s\"'?]|$)")


def known_ports(service: ServiceView) -> frozenset[int]:
    """Ports that a well-known image listens on unless told otherwise; none where nobody knows."""
    port = _PORTS.get(service.image_name, 0)
    return frozenset({port, *_MORE_PORTS.get(service.image_name, ())}) if port else frozenset()


def main_port(service: ServiceView) -> int:
    """The port that a well-known image listens on unless told otherwise; 0 where nobody knows."""
    return _PORTS.get(service.image_name, 0)


def port_variables(service: ServiceView) -> list[Entry]:
    """The variables that mostly tell a program where to listen; worked out once."""
    known: list[Entry] | None = service.memo.get("port variables")
    if known is None:
        known = service.memo["port variables"] = _port_variables(service)
    return known


def _port_variables(service: ServiceView) -> list[Entry]:
    return [e for e in service.environment.values() if e.key.upper() in _PORT_VARIABLES]


def label_problem(service: ServiceView, port: int, named: Collection[int]) -> str:
    """Why nothing answers Traefik on a port; "" where something may. ``named`` are ports that the file names."""
    told = port_variables(service)
    if not told and service.image_name not in _PORTS:
        return ""
    ends = {(e.value or "").rpartition(":")[2] for e in service.environment.values()}
    if str(port) in ends or any(not _is_port(e) for e in told):
        return ""
    sure = [e for e in told if e.key.upper() in _OWN_VARIABLES]
    if told and (sure or port not in named):
        entry = (sure or told)[0]
        return f"{entry.key} has the program listen on {entry.value}, not on {port}."
    ports = {_PORTS.get(service.image_name, 0), *_MORE_PORTS.get(service.image_name, ())}
    unseen = service.partial or any(service.data.get(f) for f in ("command", "entrypoint", "build", "env_file"))
    own_files = service.image_name in _SERVERS and any(service.data.get(f) for f in ("volumes", "configs", "secrets"))
    if told or unseen or own_files or named or service.image_name in _NO_PAGES or ports & {0, port}:
        return ""
    if any(e.key.upper().endswith("PORT") and e.open for e in service.environment.values()):
        return ""
    return f"{service.image_name} listens on {_PORTS[service.image_name]} unless told otherwise, not on {port}."


def _is_port(entry: Entry) -> bool:
    return not entry.open and bool(re.fullmatch("[0-9]{1,5}", entry.value or ""))


_OWN_VARIABLES = frozenset(
    ["GF_SERVER_HTTP_PORT", "ROCKET_PORT", "GITEA__SERVER__HTTP_PORT", "FORGEJO__SERVER__HTTP_PORT", "PAPERLESS_PORT"]
)
"""Variables that no other program has."""
_PORT_VARIABLES = _OWN_VARIABLES | frozenset(
    ["WEBUI_PORT", "WEBUI_PORTS", "WEB_PORT", "HTTP_PORT", "LISTEN_PORT", "SERVER_PORT", "APP_PORT", "PORT", "UI_PORT"]
)
_PORTS = {
    **{"qbittorrent": 8080, "qbittorrent-nox": 8080, "sabnzbd": 8080, "transmission": 9091, "deluge": 8112},
    **{"sonarr": 8989, "radarr": 7878, "lidarr": 8686, "readarr": 8787, "prowlarr": 9696, "bazarr": 6767},
    **{"jackett": 9117, "nzbget": 6789, "nzbhydra2": 5076, "overseerr": 5055, "jellyseerr": 5055, "mylar3": 8090},
    **{"flaresolverr": 8191, "tautulli": 8181, "jellyfin": 8096, "emby": 8096, "navidrome": 4533, "slskd": 5030},
    **{"nginx": 80, "httpd": 80, "caddy": 80, "whoami": 80, "filebrowser": 80, "vaultwarden": 80},
    **{"grafana": 3000, "gitea": 3000, "homepage": 3000, "adguardhome": 3000, "uptime-kuma": 3001, "prometheus": 9090},
    **{"dozzle": 8080, "cadvisor": 8080, "adminer": 8080, "scrutiny": 8080, "privoxy": 8118, "gluetun": 8000},
    **{"postgres": 5432, "mariadb": 3306, "mysql": 3306, "redis": 6379, "valkey": 6379, "mongo": 27017},
    **{"memcached": 11211, "rabbitmq": 5672, "eclipse-mosquitto": 1883, "portainer-ce": 9000, "phpmyadmin": 80},
}
"""Where well-known images listen unless told otherwise.

Each port was found again among those that public app stores and catalogs publish for the image (Coolify, Umbrel,
CasaOS, Runtipi and others, read in August 2026), but for these, which come from their own documentation: gluetun's
control server (https://gethomepage.dev/widgets/services/gluetun/), NZBHydra2, httpd, Privoxy, Mosquitto, Vaultwarden.
"""
_MORE_PORTS = {
    **{"portainer-ce": (9443, 8000), "jellyfin": (8920,), "emby": (8920,), "scrutiny": (8086,), "sabnzbd": (9090,)},
    **{"slskd": (5031,), "sonarr": (9898,), "radarr": (9898,), "lidarr": (6868,), "prowlarr": (6969,)},
    **{"vaultwarden": (3012,), "filebrowser": (8080,), "caddy": (443, 2019), "gitea": (22,), "nginx": (443,)},
    **{"httpd": (443,), "phpmyadmin": (443,)},
}
"""Further ports of theirs: for TLS, for web sockets, of their next release."""
_NO_PAGES = frozenset(
    {"adguardhome", "gluetun", "privoxy", "postgres", "mariadb", "mysql", "redis", "valkey", "mongo", "memcached"}
    | {"rabbitmq", "eclipse-mosquitto"}
)
"""Images whose port in the table is not that of their page."""
_SERVERS = frozenset(["nginx", "httpd", "caddy", "filebrowser", "prometheus"])
"""Images that listen where their files say."""
