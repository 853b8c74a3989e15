"""What Gatus visits: every route of the lab, by its address, as a person's browser would."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from homelab_mcp.core.access import RouteAccess
from homelab_mcp.core.monitoring import mapped
from homelab_mcp.core.operations.lab_view import Known

_ANSWERS = "[STATUS] == any(200, 204, 301, 302, 303, 307, 308, 401, 403)"
"""A page, or a log-in in front of it. 404 and 5xx are Traefik's own words on a route that leads nowhere."""
_FRESH = "[CERTIFICATE_EXPIRATION] > 168h"


def merges(gatus: Known) -> bool:
    """Whether this Gatus reads a folder: one that reads a single file would never see ours."""
    environment = gatus.data.get("environment")
    if isinstance(environment, list):
        path = next((str(e).partition("=")[2] for e in environment if str(e).startswith("GATUS_CONFIG_PATH=")), "")
    else:
        path = str((environment or {}).get("GATUS_CONFIG_PATH", "")) if isinstance(environment, dict) else ""
    return path.rstrip("/") == "/config"


def watched(routes: Sequence[RouteAccess], asleep: Collection[str]) -> list[RouteAccess]:
    """The routes to visit: not those of services that sleep, for each visit would wake them."""
    return [r for r in routes if r.where not in asleep]


def monitors_text(routes: Sequence[RouteAccess], *, own_ca: bool) -> str:
    """Gatus' endpoints. ``own_ca``: certificates come from an authority that Gatus' image does not know."""
    endpoints: list[dict[str, Any]] = [
        {
            "name": route.host,
            "group": route.where.partition("/")[0] if "/" in route.where else "external",
            "url": f"https://{route.host}/",
            "interval": "1m",
            "client": {"ignore-redirect": True, "timeout": "10s", **({"insecure": True} if own_ca else {})},
            "conditions": [_ANSWERS, _FRESH],
        }
        for route in routes
    ]
    return mapped({"endpoints": endpoints})
