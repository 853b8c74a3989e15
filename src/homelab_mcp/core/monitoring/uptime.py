"""What Gatus visits: every route of the lab, by its address, as a person's browser would."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from homelab_mcp.core import yaml12
from homelab_mcp.core.access import RouteAccess
from homelab_mcp.core.monitoring import mapped
from homelab_mcp.core.operations.lab_view import Known
from homelab_mcp.model.errors import HomelabError

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


def monitors_text(routes: Sequence[RouteAccess], *, own_ca: bool, others: str = "") -> str:
    """Gatus' endpoints.

    Args:
        routes: what to visit.
        own_ca: certificates come from an authority that Gatus' image does not know.
        others: the text of a person's own file beside this one; what it visits by the same name is left to it.
    """
    theirs, mine = _keys_in(others), dict[str, str]()
    endpoints: list[dict[str, Any]] = []
    for route in routes:
        group = route.where.partition("/")[0] if "/" in route.where else "external"
        name, tries = route.host, 1
        # Two of one key, and Gatus does not start at all: it folds dots, dashes and more into one sign.
        while (key := endpoint_key(group, name)) in mine and mine[key] != route.host:
            tries += 1
            name = f"{route.host} {tries}"
        if key in mine or key in theirs:
            continue
        mine[key] = route.host
        endpoints.append(
            {
                "name": name,
                "group": group,
                "url": f"https://{route.host}/",
                "interval": "1m",
                "client": {"ignore-redirect": True, "timeout": "10s", **({"insecure": True} if own_ca else {})},
                "conditions": [_ANSWERS, _FRESH],
            }
        )
    return mapped({"endpoints": endpoints})


def endpoint_key(group: str, name: str) -> str:
    """What Gatus tells endpoints apart by (its config/key/key.go)."""
    return "_".join(re.sub(r"[/_.,\x20#+&]", "-", part.strip().lower()) for part in (group, name))


def _keys_in(text: str) -> set[str]:
    try:
        found = yaml12.load(text) if text else None
    except HomelabError:
        return set()
    rows = found.get("endpoints") if isinstance(found, dict) else None
    each = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {endpoint_key(str(row.get("group") or ""), str(row.get("name") or "")) for row in each}
