"""A lab whose files many rules read, and the same with odd values at some places of it."""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from homelab_mcp.core.checks import LabFacts, LintStack, lint

Place = tuple[str, tuple[str | int, ...]]
"""A file of the lab, and a path in its data."""

ODD: tuple[Any, ...] = (
    *(None, True, 3, -1, 10**390, 0.5, float("inf"), "", "²", "9" * 5000, "1" * 400, "x:y", "[", "a: {{b}}"),
    *([], [None], [[1]], [{"a": 1}], {}, {"a": None}, {3: [3]}),
)

COMPOSE: dict[str, Any] = {
    "name": "lab",
    "services": {
        "traefik": {
            "image": "traefik:v3.6.1",
            "ports": ["80:80", "443:443"],
            "networks": ["web"],
            "links": ["web:site"],
            "external_links": ["x:y"],
            "extra_hosts": ["nas:10.0.0.2"],
            "volumes": ["./traefik:/etc/traefik", "/var/run/docker.sock:/var/run/docker.sock:ro"],
        },
        "web": {
            "image": "nginx:1.29",
            "container_name": "web",
            "hostname": "web",
            "user": "1000",
            "restart": "always",
            "env_file": [{"path": "web.env", "required": False}],
            "command": ["nginx", "-g", "x"],
            "entrypoint": ["sh", "-c", "x"],
            "security_opt": ["seccomp=./x.json", "no-new-privileges:true"],
            "cap_add": ["NET_ADMIN"],
            "devices": [{"source": "/dev/x", "target": "/dev/x"}],
            "sysctls": {"net.core.somaxconn": 1},
            "ulimits": {"nofile": {"soft": 1, "hard": 2}},
            "tmpfs": ["/tmp:size=1m"],
            "shm_size": "64m",
            "pids_limit": 3,
            "dns": ["1.1.1.1"],
            "volumes": [{"type": "tmpfs", "target": "/x", "tmpfs": {"size": 1, "mode": 1}}],
            "links": ["db"],
            "networks": {"web": {"aliases": ["site"], "ipv4_address": "10.0.0.9"}},
            "expose": ["80"],
            "ports": [{"target": 80, "published": "8080"}],
            "environment": {"API": "http://grafan:3306", "DB_HOST": "nobody", "DB_PORT": "3306", "URL": "tcp://x:1"},
            "mem_limit": "64m",
            "cpus": 0.5,
            "deploy": {
                "replicas": 1,
                "resources": {"limits": {"cpus": "1", "memory": "64m"}, "reservations": {"cpus": "1", "memory": "1m"}},
            },
            "blkio_config": {"weight": 100},
            "healthcheck": {"test": ["CMD", "curl", "http://localhost:80/"], "interval": "10s", "retries": 3},
            "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
            "depends_on": {"db": {"condition": "service_started"}},
            "secrets": [{"source": "s", "target": "x"}],
            "configs": [{"source": "c", "target": "/c"}],
            "labels": {
                "traefik.http.routers.web.rule": "Host(`web.example.org`)",
                "traefik.http.routers.web.middlewares": "auth",
                "traefik.http.routers.web.priority": "3",
                "traefik.http.services.web.loadbalancer.server.port": "80",
                "traefik.http.services.web.loadbalancer.healthcheck.interval": "3s",
                "traefik.http.middlewares.auth.forwardauth.address": "http://authelia:9091/api/authz/forward-auth",
                "traefik.tcp.routers.t.rule": "HostSNI(`*`)",
                "homepage.group": "Media",
                "homepage.name": "Web",
                "homepage.widget.url": "https://db:3306",
            },
            "build": {"context": ".", "target": "prod", "dockerfile_inline": "FROM a AS prod"},
        },
        "db": {
            "image": "mysql:8.4",
            "command": ["--default-authentication-plugin=x", "--innodb-buffer-pool-size=1g"],
            "environment": {"MYSQL_ROOT_PASSWORD_FILE": "/s/pw", "SCHEDULE": "0 0 4 * *", "PUID": "1000"},
            "volumes": ["./s:/s:ro", {"type": "volume", "source": "v", "target": "/var/lib/mysql"}],
            "mem_limit": "1g",
        },
        "grafana": {
            "image": "grafana/grafana:12.0.0",
            "environment": {"GF_SERVER_HTTP_PORT": "3000", "GF_URL": "http://localhost:9090"},
        },
        "prometheus": {"image": "prom/prometheus:v3.5.0", "volumes": ["./prometheus:/etc/prometheus"]},
        "homepage": {
            "image": "ghcr.io/gethomepage/homepage:v1.2.0",
            "links": ["grafana"],
            "external_links": ["x:y"],
            "volumes": ["./homepage:/app/config"],
        },
        "authelia": {
            "image": "authelia/authelia:4.39.4",
            "links": ["cache:redis"],
            "extra_hosts": {"ldap": "10.0.0.3"},
            "volumes": ["./authelia:/config"],
        },
        "behind": {
            "image": "linuxserver/qbittorrent:5.0.0",
            "container_name": "behind",
            "network_mode": "service:gluetun",
            "depends_on": ["gluetun"],
            "environment": {"DB_HOST": "db", "REDIS_URL": "redis://cache:6379", "WEBUI_PORT": "8080"},
            "labels": ["sablier.enable=true", "traefik.http.routers.b.rule=Host(`b.example.org`)"],
        },
        "other": {
            "image": "redis:8.0",
            "extends": {"service": "db"},
            "network_mode": "bridge",
            "profiles": ["a"],
            "volumes_from": ["db:ro"],
        },
        "sablier": {
            "image": "sablierapp/sablier:1.8.1",
            "hostname": "sablier",
            "networks": ["web"],
            "labels": {
                "traefik.http.middlewares.lazy.plugin.sablier.sablierurl": "http://sablier:10000",
                "traefik.http.middlewares.lazy.plugin.sablier.names": "behind",
            },
        },
        "mosquitto": {
            "image": "eclipse-mosquitto:2.0.22",
            "command": ["mosquitto", "-c", "/mosquitto/config/m.conf"],
            "volumes": ["./mq:/mosquitto/config"],
        },
        "gluetun": {
            "image": "qmcgaw/gluetun:v3.40.0",
            "environment": {"VPN_TYPE": "wireguard", "VPN_SERVICE_PROVIDER": "mullvad", "WIREGUARD_PRIVATE_KEY": "k"},
        },
    },
    "networks": {
        "web": {"driver": "bridge", "name": "web", "external": False, "ipam": {"config": [{"subnet": "10.0.0.0/24"}]}},
    },
    "volumes": {"v": {"driver_opts": {"type": "none", "device": "/x", "o": "bind"}}},
    "secrets": {"s": {"file": "./s/x"}},
    "configs": {"c": {"content": "x"}},
}
FILES: dict[str, Any] = {
    "s/traefik/traefik.yml": {
        "entryPoints": {"web": {"address": ":80"}, "dns": {"address": ":53/udp"}},
        "providers": {"file": {"directory": "/etc/traefik/dynamic"}, "docker": {"network": "lab_web"}},
        "certificatesResolvers": {"le": {"acme": {"email": "a@b.org", "storage": "/x/acme.json"}}},
        "api": {"dashboard": True},
    },
    "s/traefik/dynamic/a.yml": {
        "http": {
            "routers": {
                "nas": {"rule": "Host(`nas.example.org`)", "service": "nas", "middlewares": ["m"], "tls": {}},
                "old": {"rule": "Host(`old.example.org`)", "service": "nas", "entryPoints": ["web"], "priority": 3},
            },
            "services": {
                "nas": {
                    "loadBalancer": {"servers": [{"url": "http://10.0.0.2:80"}], "healthCheck": {"interval": "3s"}}
                },
            },
            "middlewares": {
                "m": {"chain": {"middlewares": ["h"]}},
                "h": {"headers": {"customRequestHeaders": {"X": "y"}, "stsSeconds": 3}},
                "f": {"forwardAuth": {"address": "http://authelia:9091/api/verify"}},
                "z": {"plugin": {"sablier": {"names": "web", "dynamic": {"theme": "x"}, "sessionDuration": "3m"}}},
            },
        },
        "tcp": {
            "routers": {"t": {"rule": "HostSNI(`*`)", "service": "t", "entryPoints": ["web"]}},
            "services": {"t": {"loadBalancer": {"servers": [{"address": "db:3306"}]}}},
        },
        "udp": {"routers": {"u": {"entryPoints": ["dns"], "service": "u"}}},
        "tls": {"options": {"default": {"minVersion": "VersionTLS12"}}},
    },
    "s/authelia/configuration.yml": {
        "server": {"address": "tcp://:9091/", "endpoints": {"authz": {"portal": {"implementation": "ForwardAuth"}}}},
        "authentication_backend": {"file": {"path": "/config/users.yml"}},
        "access_control": {
            "default_policy": "deny",
            "networks": [{"name": "home", "networks": ["10.0.0.0/8"]}],
            "rules": [
                {"domain": "*.example.org", "policy": "one_factor", "subject": ["group:admins", ["user:ann"]]},
                {"domain": ["a.example.org"], "policy": "bypass", "networks": ["home"], "methods": ["GET"]},
            ],
        },
        "session": {
            "cookies": [{"domain": "example.org", "authelia_url": "https://auth.example.org"}],
            "redis": {"host": "redis", "port": 6379},
        },
        "regulation": {"find_time": "2m", "ban_time": "5m", "max_retries": 3},
        "storage": {"encryption_key": "a-key-that-is-long-enough", "postgres": {"address": "tcp://db:5432"}},
        "notifier": {"smtp": {"address": "smtp://mail:25"}},
        "definitions": {"network": {"home": ["10.0.0.0/8"]}},
    },
    "s/authelia/users.yml": {"users": {"ann": {"password": "$argon2id$x", "groups": ["admins"], "email": "a@b.org"}}},
    "s/homepage/services.yaml": [
        {
            "Media": [
                {
                    "Films": {
                        "href": "https://films.example.org",
                        "server": "my",
                        "container": "web",
                        "widget": {"type": "jellyfin", "url": "https://grafana:3000", "key": "x"},
                        "widgets": [{"type": "sonarr"}],
                    }
                }
            ]
        }
    ],
    "s/homepage/docker.yaml": {"my": {"host": "socket-proxy", "port": 2375}, "own": {"socket": "/var/run/docker.sock"}},
    "s/homepage/widgets.yaml": [{"resources": {"cpu": True}}],
    "s/prometheus/prometheus.yml": {
        "scrape_configs": [{"job_name": "n", "static_configs": [{"targets": ["grafana:3001"]}]}]
    },
}
LAB: dict[str, Any] = {"s/compose.yaml": COMPOSE, **FILES}
FACTS = LabFacts(networks=["a"], memory=2**30, tracked=[".env", "", "/"], backup_paths=["", "/srv", "x"])


def places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of everything in some data."""
    yield path
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


PLACES: tuple[Place, ...] = tuple((file, path) for file, data in LAB.items() for path in places(data))


def changed(changes: Mapping[Place, Any]) -> dict[str, Any]:
    """The lab's files with other values at some places; a place that is gone by then is passed over."""
    found: dict[str, Any] = copy.deepcopy(LAB)
    for (file, path), value in sorted(changes.items(), key=lambda c: len(c[0][1])):
        if not path:
            found[file] = value
            continue
        part = found[file]
        try:
            for step in path[:-1]:
                part = part[step]
            part[path[-1]]
            part[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    return found


def _beside(compose: Any) -> Any:
    """A second stack of a lab, without what a lab has once."""
    services = compose.get("services") if isinstance(compose, dict) else None
    if not isinstance(services, dict):
        return compose
    return {**compose, "services": {name: services[name] for name in ("web", "db") if name in services}}


def look(files: Mapping[str, Any]) -> None:
    """Lint the lab, each file of data as YAML; what a rule raises goes through."""
    texts = {file: yaml.safe_dump(data, allow_unicode=True) for file, data in files.items()}

    def names(folder: str) -> list[str] | None:
        below = [t.removeprefix(f"{folder}/").partition("/") for t in texts if t.startswith(f"{folder}/")]
        return sorted({name + slash for name, slash, _ in below}) or None

    def exists(path: str) -> bool:
        there = posixpath.normpath(posixpath.join("s", path))
        return any(t == there or t.startswith(f"{there}/") for t in texts)

    compose = texts["s/compose.yaml"]
    stacks = [
        LintStack("s", "s/compose.yaml", compose, {"V": "80"}, exists, (), texts.get, names),
        LintStack("t", "t/compose.yaml", yaml.safe_dump(_beside(files["s/compose.yaml"]), allow_unicode=True), {}),
    ]
    for finding in lint(stacks, facts=FACTS, fixes=True):
        assert finding.line >= 1
        assert finding.message
