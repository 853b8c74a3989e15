"""What image names tell: databases, single sign-on, schedulers. Facts about well-known images, nothing else."""

from __future__ import annotations

import re

from homelab_mcp.core.checks.view import ServiceView

DATABASES = frozenset(
    {"postgres", "postgresql", "postgis", "pgvector", "pgvecto-rs", "timescaledb", "mariadb", "mysql", "mongo"}
    | {
        "mongodb",
        "redis",
        "valkey",
        "keydb",
        "dragonfly",
        "influxdb",
        "couchdb",
        "cassandra",
        "clickhouse-server",
        "elasticsearch",
    }
    | {"opensearch", "meilisearch", "rethinkdb"}
)
CACHES = frozenset(["redis", "valkey", "keydb", "dragonfly", "memcached"])
DATA_FOLDERS = {
    "postgres": "/var/lib/postgresql",
    "mariadb": "/var/lib/mysql",
    "mysql": "/var/lib/mysql",
    "mongo": "/data/db",
    "pgvector": "/var/lib/postgresql",
    "pgvecto-rs": "/var/lib/postgresql",
    "postgis": "/var/lib/postgresql",
    "timescaledb": "/var/lib/postgresql",
    "percona": "/var/lib/mysql",
    "influxdb": "/var/lib/influxdb",
    "couchdb": "/opt/couchdb/data",
    "clickhouse-server": "/var/lib/clickhouse",
    "elasticsearch": "/usr/share/elasticsearch/data",
    "opensearch": "/usr/share/opensearch/data",
    "meilisearch": "/meili_data",
}
"""Where the official images, and those made from them, keep their data (their documentation on Docker Hub).

Found again among the mounts that public app stores and catalogs use (read in August 2026), but for percona (as
MySQL's) and opensearch (https://docs.opensearch.org/latest/install-and-configure/install-opensearch/docker/).
"""

DATABASE_PORTS = frozenset({1433, 1521, 3306, 5432, 5984, 6379, 7687, 9042, 9200, 11211, 26257, 27017, 28015})
"""Ports that databases and caches listen on, and hardly anything else."""

HOST_NETWORK = frozenset(
    {
        "home-assistant",
        "homeassistant",
        "plex",
        "pms-docker",
        "jellyfin",
        "emby",
        "embyserver",
        "homebridge",
        "scrypted",
    }
    | {"matter-server", "esphome", "music-assistant-server", "server", "owntone", "snapserver", "upnp", "minidlna"}
    | {"node-exporter", "netdata", "glances", "agent", "beszel-agent", "ntopng", "netalertx", "scanopy", "darkstat"}
    | {"tailscale", "zerotier", "wireguard", "wg-easy", "cloudflared", "keepalived", "frr", "avahi", "mdns-repeater"}
    | {
        "adguardhome",
        "pihole",
        "dnsmasq",
        "netbootxyz",
        "kea-dhcp4",
        "unifi-network-application",
        "unbound",
        "crowdsec",
    }
    | {"traefik", "caddy", "nginx", "haproxy", "gluetun", "samba", "timemachine", "avahi-reflector", "iperf3", "omada"}
    | {"roonserver", "logitechmediaserver", "lyrionmusicserver", "airsonos", "shairport-sync", "librespot", "nut-upsd"}
    | {
        "fail2ban",
        "pulse",
        "ddns-updater",
        "openthread-border-router",
        "wyoming-openwakeword",
        "rtl_433",
        "omada-controller",
    }
)
"""Programs whose makers offer or ask for the host's network: discovery, DHCP, tunnels, proxies, measuring the host.

(``server`` and ``agent`` are the images' last words of music-assistant/server and portainer/agent.)
"""

UNCHECKED = frozenset(
    {"postgres", "postgresql", "postgis", "pgvector", "timescaledb", "mariadb", "mysql", "mongo", "redis", "valkey"}
    | {"couchdb", "influxdb", "rabbitmq", "clickhouse-server"}
)
"""Databases whose images bring no health check of their own (no HEALTHCHECK in their Dockerfiles)."""

HUNGRY = frozenset(
    {"unmanic", "tdarr", "tdarr_node", "fileflows", "handbrake", "makemkv", "immich-machine-learning", "ollama"}
    | {"localai", "stable-diffusion-webui", "elasticsearch", "opensearch", "minecraft-server", "libretranslate"}
    | {"whisper-asr-webservice", "faster-whisper", "frigate", "photoprism", "clickhouse-server"}
)
"""Programs that take what memory there is: transcoders, models, virtual machines of Java, recognition of pictures."""

SCHEDULERS = frozenset(
    {"backrest", "duplicati", "watchtower", "ofelia", "diun", "autorestic", "borgmatic", "uptime-kuma", "prometheus"}
    | {"home-assistant", "gluetun", "scrutiny", "changedetection.io", "speedtest-tracker", "healthchecks", "mosquitto"}
    | {"ddns-updater", "duckdns", "cloudflare-ddns"}
)
"""Programs that work while nobody looks at them."""

SIGN_ON = (
    "authelia",
    "authentik",
    "oauth2-proxy",
    "traefik-forward-auth",
    "tinyauth",
    "keycloak",
    "pocket-id",
    "vouch-proxy",
)
AUTH_WORDS = (*SIGN_ON, "auth", "sso", "oidc", "login")


def postgres_major(service: ServiceView) -> int:
    """The major version of an image that is made from the official PostgreSQL's, by its tag; 0 where that is none."""
    if service.image_name not in _OF_POSTGRES or "bitnami" in service.image:
        return 0
    tag = service.image.rsplit("/", 1)[-1].partition(":")[2]
    alone = "^|" if service.image_name in {"postgres", "postgis"} else ""
    match = re.search(rf"(?:{alone}pg)([0-9]{{1,2}})(?![0-9])", tag)
    return int(match.group(1)) if match else 0


_OF_POSTGRES = frozenset({"postgres", "pgvector", "pgvecto-rs", "postgis", "timescaledb"})


def is_database(service: ServiceView) -> bool:
    """True for a well-known database or cache image."""
    return service.image_name in DATABASES


def words_of(service: ServiceView, field: str) -> list[str]:
    """A command or entrypoint, in words."""
    part = service.data.get(field)
    return part.split() if isinstance(part, str) else [str(word) for word in part] if isinstance(part, list) else []


def is_client(service: ServiceView) -> bool:
    """True when a database's image is used for its tools: its server is not what the container runs."""
    words = [*words_of(service, "entrypoint"), *words_of(service, "command")]
    words = words[1:] if words and words[0].endswith("docker-entrypoint.sh") else words
    first = words[0].rpartition("/")[2] if words else ""
    if first in _TOOLS:
        return True
    return first in _SHELLS and "-c" in words[1:3] and not _SERVER.search(" ".join(words[1:]))


def runs_server(service: ServiceView) -> bool:
    """True when a database's image plainly runs its server: by itself, with options, or called by its name."""
    if not is_database(service) or service.data.get("entrypoint") is not None or is_client(service):
        return False
    words = words_of(service, "command")
    first = words[0] if words else "-"
    return first.startswith("-") or first.endswith(".conf") or bool(_SERVER_WORD.search(" ".join(words)))


_SHELLS = frozenset({"sh", "bash", "ash"})
_TOOLS = frozenset(
    {"psql", "pg_dump", "pg_dumpall", "pg_restore", "pg_isready", "pg_basebackup", "createdb", "vacuumdb", "crond"}
    | {"mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump", "mariadb-admin", "mariadb-backup", "redis-cli"}
    | {"valkey-cli", "mongosh", "mongo", "mongodump", "mongorestore", "influx", "clickhouse-client", "sleep", "tail"}
)
_SERVER = re.compile(
    r"docker-entrypoint|mysqld|mariadbd|mongod\b|redis-server|valkey-server|pg_ctl|influxd|clickhouse-server"
    r"|(?:^|-c|exec|gosu \w+|&&|;)[\s\"']*(?:\S*/)?postgres\b|\.sh\b"
)

_SERVER_WORD = re.compile(
    r"(?:^|-c |exec |&& |; |docker-entrypoint\.sh )[\"']?(?:\S*/)?(?:mysqld|mariadbd|mongod|redis-server|valkey-server"
    r"|keydb-server|influxd|postgres|dragonfly|couchdb|cassandra|clickhouse-server|elasticsearch|opensearch|meilisearch|rethinkdb)(?![\w.-])"
)


def is_sign_on(service: ServiceView) -> bool:
    """True for a well-known single sign-on image; worked out once."""
    known: bool | None = service.memo.get("sign on")
    if known is None:
        known = service.memo["sign on"] = _is_sign_on(service)
    return known


def _is_sign_on(service: ServiceView) -> bool:
    image = str(service.data.get("image") or "").lower()
    return any(word in image for word in SIGN_ON) or "goauthentik" in image


def asks_for_login(middleware: str) -> bool:
    """True when a middleware's name says that it asks for log-in."""
    name = middleware.lower()
    return any(word in name for word in AUTH_WORDS)


OPEN_ADMIN = frozenset({"dozzle", "glances", "docker-socket-proxy", "filebrowser", "prometheus", "netdata", "cadvisor"})
"""Programs whose page asks nobody to log in unless that is set up."""
ADMIN_PAGES = frozenset(
    {
        "portainer",
        "portainer-ce",
        "portainer-ee",
        "dockge",
        "dozzle",
        "komodo",
        "yacht",
        "cockpit",
        "webmin",
        "phpmyadmin",
    }
    | {"adminer", "pgadmin4", "mongo-express", "redis-commander", "cadvisor"}
)
"""Programs whose page commands Docker, a database or the host."""
