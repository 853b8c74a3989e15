"""What the operations' tests share: definitions, a lab of files, and predictable secrets."""

from typing import Any

from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles

SETTINGS = LabSettings(domain="lab.test")
_COMMON: dict[str, Any] = {
    "summary": "A service made for tests.",
    "category": "utilities",
    "level": "draft",
    "stack": "apps",
    "links": {"upstream": "https://example.org", "documentation": "https://example.org/docs"},
    "sources": [{"facts": "all", "where": "made up"}],
    "lazy": {"ok": True, "why": "Starts fast."},
    "vpn": {"use": "no", "why": "No need."},
    "gpu": {"use": "none", "why": "No need."},
    "backup": {"notes": "Nothing to keep."},
}
_HEALTH = {"test": ["CMD", "true"]}


def definition(name: str, **changes: Any) -> ServiceDefinition:
    container = {
        "image": {"repository": f"example/{name}", "tag": "1.2.3"},
        "ports": [{"container": 80, "purpose": "web"}],
        "volumes": [{"kind": "data", "target": "/data"}],
        "environment": {"TZ": "${TZ}"},
        "health": _HEALTH,
        "resources": "web",
        **changes.pop("container", {}),
    }
    route = {"port": 80, "subdomain": name, "sso": {"policy": "protect", "why": "No log-in of its own."}}
    return ServiceDefinition.model_validate(
        {"id": name, "name": name.title(), **_COMMON, "container": container, "route": route, **changes}
    )


CATALOG = {
    d.id: d
    for d in [
        definition("web", homepage={"group": "Apps", "icon": "web.png", "description": "A page"}),
        definition("open", route={"port": 80, "subdomain": "open", "sso": {"policy": "bypass", "why": "Own log-in."}}),
        definition(
            "app",
            companions={
                "db": {
                    "role": "database",
                    "image": {"repository": "postgres", "tag": "17.6"},
                    "environment": {"POSTGRES_PASSWORD": "${APP_DB_PASSWORD}"},
                    "volumes": [{"kind": "database", "target": "/var/lib/postgresql/data"}],
                    "health": _HEALTH,
                    "resources": "database",
                }
            },
            container={"environment": {"DB": "@{companion.db}", "PASSWORD": "${APP_DB_PASSWORD}", "URL": "@{url}"}},
            variables=[
                {
                    "name": "APP_DB_PASSWORD",
                    "description": "The database's.",
                    "secret": True,
                    "generate": {"kind": "alnum", "length": 32},
                }
            ],
            files=[{"path": "config/app.yml", "content": {"host": "@{host}", "on": "no"}}],
        ),
        definition(
            "needy",
            variables=[
                {"name": "NEEDY_USER", "description": "The user's name.", "pattern": "[a-z]+"},
                {"name": "NEEDY_TOKEN", "description": "Token from the maker's site.", "secret": True},
            ],
            container={"environment": {"USER": "${NEEDY_USER}", "TOKEN": "${NEEDY_TOKEN}"}},
        ),
        definition("dns", route=None, container={"ports": [{"container": 53, "publish": 53, "why": "DNS."}]}),
        definition("torrent", gateway="tunnel", vpn={"use": "recommended", "why": "Peers see the address."}),
        definition("tunnel", route=None),
        definition(
            "sso",
            category="core",
            stack="core",
            container={"labels": {"traefik.http.middlewares.authelia.forwardauth.address": "http://@{service}:80/"}},
            route={"port": 80, "subdomain": "auth", "sso": {"policy": "portal", "why": "It is the log-in."}},
        ),
    ]
}

CORE = """services:
  traefik:
    image: traefik:v3.7.11
    container_name: traefik
    ports: ["80:80", "443:443"]
  authelia:
    image: authelia/authelia:4.39
    labels:
      traefik.http.middlewares.authelia.forwardauth.address: http://authelia:9091/api/authz/forward-auth
"""


def find(name: str) -> ServiceDefinition:
    if name not in CATALOG:
        raise NotFound(f"No definition {name}.")
    return CATALOG[name]


def lab(**stacks: tuple[str, str]) -> Snapshot:
    """A lab with a core stack and these stacks: name=(compose text, .env text)."""
    files = [StackFiles("core", "core/compose.yaml", CORE, "DOMAIN=lab.test\n")]
    files += [StackFiles(n, f"{n}/docker-compose.yml", text, env) for n, (text, env) in stacks.items()]
    return Snapshot(tuple(files), None)


def secret(kind: str, length: int) -> str:
    return f"{kind}-".ljust(length, "s")


def argon2(value: str) -> str:
    return f"$argon2id${value[::-1]}"
