"""Homepage's entry of a service on another host: what its labels say, by addresses that Homepage can reach.

Homepage finds containers of its own Docker by itself, with labels and state. Another host's are told in a file. There
no ``server`` and ``container`` are told, as it has no way to ask that Docker; and names of containers mean nothing.

Facts: gethomepage/homepage ``docs/configs/services.md``, ``docs/configs/docker.md`` and
``src/utils/config/service-helpers.js`` (v1.13): a label's dots are the file's nested keys.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

from homelab_mcp.core.host_routes import HostRoute
from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.lazy import lazy_of
from homelab_mcp.core.operations.lab_view import Known, expand
from homelab_mcp.core.published_ports import bracketed, published_at
from homelab_mcp.core.stack_host import SWARM

_PLAIN = ("href", "icon", "description", "weight", "target")
_WIDGET = "homepage.widget."
_PORTS = {"http": 80, "https": 443}
_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$(?!\$)")


def entry_of(route: HostRoute) -> dict[str, Any]:
    """What Homepage's file says below the service's name.

    A widget is left out where it would ask somebody that Homepage does not reach, and where a label takes a value of
    its from ``.env``: that may be a key, and the file is in git.
    """
    service = route.service
    labels = service.labels
    told: dict[str, Any] = {k: labels[f"homepage.{k}"] for k in _PLAIN if labels.get(f"homepage.{k}")}
    if service.engine == SWARM:
        # Of the network that leads to its tasks only Traefik is a part.
        return told
    # Asleep it would be shown as down; a look at it past Traefik wakes nobody.
    if lazy_of(service) is None:
        told["siteMonitor"] = route.url
    if widget := _widget(route):
        told["widget"] = widget
    return told


def _widget(route: HostRoute) -> dict[str, Any]:
    raw = {k.removeprefix(_WIDGET): v for k, v in labels_of(route.service.data).items() if k.startswith(_WIDGET)}
    url = _reached(route, expand(raw.get("url", ""), route.service.env))
    if ("url" in raw and not url) or any("[" in k or _VARIABLE.search(v) for k, v in raw.items() if k != "url"):
        return {}
    found: dict[str, Any] = {}
    for key, value in raw.items():
        *path, last = key.split(".")
        home = found
        for part in path:
            home = home.setdefault(part, {})
            if not isinstance(home, dict):
                return {}
        home[last] = url if key == "url" else value.replace("$$", "$")
    return found


def _reached(route: HostRoute, url: str) -> str:
    """The URL with the host's private address in place of a container's name; "" where nothing leads there."""
    parts, service = urlsplit(url), route.service
    host = parts.hostname or ""
    if "$" in url or parts.username or parts.password or parts.query:
        return ""
    if host not in _names(service):
        # A name or address that is nobody's container's alone.
        return url if "." in host or ":" in host else ""
    address = urlsplit(route.url).hostname or ""
    at = _port(parts)
    if service.data.get("network_mode") != "host":
        at = published_at(service.data.get("ports"), service.env, at, address)
    return f"{parts.scheme}://{bracketed(address)}:{at}{parts.path}" if at else ""


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return 0


def _names(service: Known) -> set[str]:
    mode = str(service.data.get("network_mode") or "")
    own = {service.name, expand(str(service.data.get("container_name") or service.name), service.env)}
    return {n.lower() for n in own} | (
        {mode.removeprefix("service:").lower()} if mode.startswith("service:") else set()
    )
