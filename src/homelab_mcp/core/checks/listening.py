"""Which ports a service's program listens on, as far as its variables or its image tell."""

from __future__ import annotations

import re
from collections.abc import Collection

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.app_folders import repository
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
    port = main_port(service)
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
    port = main_port(service)
    return frozenset({port, *_MORE_PORTS.get(service.image_name, ())}) if port else frozenset()


def main_port(service: ServiceView) -> int:
    """The port that a well-known image listens on unless told otherwise; 0 where nobody knows."""
    return _BY_REPOSITORY.get(repository(service)) or _PORTS.get(service.image_name, 0)


def only_told(service: ServiceView) -> bool:
    """True for an image whose port nothing but its variables and its command can change."""
    return repository(service) in _ONLY_TOLD


def port_variables(service: ServiceView) -> list[Entry]:
    """The variables that mostly tell a program where to listen; worked out once."""
    known: list[Entry] | None = service.memo.get("port variables")
    if known is None:
        known = service.memo["port variables"] = _port_variables(service)
    return known


def own_port(service: ServiceView) -> int:
    """The port that a variable of this very program has it listen on; 0 where none does."""
    name = _OWN_OF.get(repository(service))
    entry = service.environment.get(name) if name else None
    return int(entry.value or 0) if entry and _is_port(entry) else 0


_OWN_OF = {
    "linuxserver/qbittorrent": "WEBUI_PORT",
    "grafana/grafana": "GF_SERVER_HTTP_PORT",
    "grafana/grafana-oss": "GF_SERVER_HTTP_PORT",
    "grafana/grafana-enterprise": "GF_SERVER_HTTP_PORT",
    "gitea/gitea": "GITEA__server__HTTP_PORT",
    "forgejo/forgejo": "FORGEJO__server__HTTP_PORT",
    "paperless-ngx/paperless-ngx": "PAPERLESS_PORT",
    "paperlessngx/paperless-ngx": "PAPERLESS_PORT",
    "n8nio/n8n": "N8N_PORT",
}
"""Variables that these images read (their own documentation); another's image of the same program may not."""


def _port_variables(service: ServiceView) -> list[Entry]:
    return [e for e in service.environment.values() if e.key.upper() in _PORT_VARIABLES]


def label_problem(service: ServiceView, port: int, named: Collection[int]) -> str:
    """Why nothing answers Traefik on a port; "" where something may. ``named`` are ports that the file names."""
    told = port_variables(service)
    if not told and not main_port(service):
        return ""
    ends = {(e.value or "").rpartition(":")[2] for e in service.environment.values()}
    if str(port) in ends or any(not _is_port(e) for e in told):
        return ""
    sure = [e for e in told if e.key.upper() in _OWN_VARIABLES]
    if told and (sure or port not in named):
        entry = (sure or told)[0]
        return f"{entry.key} has the program listen on {entry.value}, not on {port}."
    ports = {main_port(service), *_MORE_PORTS.get(service.image_name, ())}
    unseen = service.partial or any(service.data.get(f) for f in ("command", "entrypoint", "build", "env_file"))
    own_files = service.image_name in _SERVERS and any(service.data.get(f) for f in ("volumes", "configs", "secrets"))
    if told or unseen or own_files or named or service.image_name in _NO_PAGES or ports & {0, port}:
        return ""
    if any(e.key.upper().endswith("PORT") and e.open for e in service.environment.values()):
        return ""
    name = repository(service) if service.image_name in _PLAIN else service.image_name
    return f"{name} listens on {main_port(service)} unless told otherwise, not on {port}."


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
_BY_REPOSITORY = {
    **{"vaultwarden/server": 80, "n8nio/n8n": 5678, "open-webui/open-webui": 8080},
    **{"paperless-ngx/paperless-ngx": 8000, "immich-app/immich-server": 2283, "mealie-recipes/mealie": 9000},
    **{"actualbudget/actual-server": 5006, "sissbruecker/linkding": 9090, "freshrss/freshrss": 80},
    **{"louislam/dockge": 5001, "plexinc/pms-docker": 32400, "jellyfin/jellyfin": 8096, "miniflux/miniflux": 8080},
    **{"authelia/authelia": 9091, "nodered/node-red": 1880, "home-assistant/home-assistant": 8123},
    **{"stirlingtools/stirling-pdf": 8080, "gotson/komga": 25600, "jvmilazz0/kavita": 5000},
    **{"prom/node-exporter": 9100, "prometheus/node-exporter": 9100, "grafana/loki": 3100, "ollama/ollama": 11434},
    **{"nextcloud": 80, "seerr-team/seerr": 5055, "linuxserver/bookstack": 80, "linuxserver/heimdall": 80},
    **{"owncast/owncast": 8080, "linuxserver/tvheadend": 9981},
    **{"gotenberg/gotenberg": 3000, "apache/tika": 9998, "prom/alertmanager": 9093, "emqx/emqx": 18083},
    **{
        "advplyr/audiobookshelf": 80,
        "koenkk/zigbee2mqtt": 8080,
        "triliumnext/trilium": 8080,
        "drakkan/sftpgo": 8080,
        "glanceapp/glance": 8080,
    },
}
"""The same by repository, for images whose last word says little; from the catalog's definitions, which name their
sources, but for Gotenberg (https://gotenberg.dev/docs/configuration), Tika (apache/tika-docker's README) and
Prometheus' exporters (their READMEs)."""
_PLAIN = frozenset({"server", "core", "app", "web"})
_ONLY_TOLD = frozenset(
    {"vaultwarden/server", "traefik/whoami", "louislam/uptime-kuma", "louislam/dockge", "amir20/dozzle"}
    | {"gethomepage/homepage", "paperless-ngx/paperless-ngx", "immich-app/immich-server", "open-webui/open-webui"}
    | {"n8nio/n8n", "mealie-recipes/mealie", "sissbruecker/linkding", "adminer", "miniflux/miniflux"}
    | {
        "advplyr/audiobookshelf",
        "freshrss/freshrss",
        "linuxserver/bookstack",
        "linuxserver/heimdall",
        "ollama/ollama",
        "nextcloud",
    }
)
"""Images that read their port from a variable or their command, or have a fixed one, and from no file of theirs."""
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
