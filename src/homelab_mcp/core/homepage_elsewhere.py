"""Homepage's entry of a service on another host: what its labels say, by addresses that Homepage can reach.

Homepage finds containers of its own Docker by itself, with labels and state. Another host's are told in a file. There
no ``server`` and ``container`` are told, as it has no way to ask that Docker; and names of containers mean nothing.

Facts: gethomepage/homepage ``docs/configs/services.md``, ``docs/configs/docker.md`` and
``src/utils/config/service-helpers.js`` (v1.13): a label's dots are the file's nested keys.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from homelab_mcp.core.host_routes import HostRoute
from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.lazy import lazy_of
from homelab_mcp.core.operations.lab_view import Known, expand
from homelab_mcp.core.published_ports import bracketed, published_at
from homelab_mcp.core.redact import is_public_name, is_secret_name, telling_values
from homelab_mcp.core.stack_host import SWARM

_PLAIN = ("href", "icon", "description", "weight", "target")
_WIDGET = "homepage.widget."
_PORTS = {"http": 80, "https": 443}
_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$(?!\$)")
_NAME = re.compile(r"\$\$|\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_LEFT = re.compile(r"\$(?:\{|[A-Za-z_])")
_OWN_NAMES = re.compile(r"(?:.+\.)?localhost|(?:host|gateway)\.docker\.internal|host\.containers\.internal|[0-9.]+")
_BRIDGE = ipaddress.ip_address("172.17.0.1")
"""The machine itself, as containers of Docker's default bridge see it."""


def entry_of(route: HostRoute) -> dict[str, Any]:
    """What Homepage's file says below the service's name.

    A widget is left out where it would ask somebody that Homepage does not reach, and where a label takes a value of
    its from ``.env``: that may be a key, and the file is in git.
    """
    service = route.service
    told: dict[str, Any] = {k: text for k in _PLAIN if (text := told_of(service, k))}
    if service.engine == SWARM:
        # Of the network that leads to its tasks only Traefik is a part.
        return told
    # Asleep it would be shown as down; a look at it past Traefik wakes nobody.
    if lazy_of(service) is None:
        told["siteMonitor"] = route.url
    if widget := _widget(route):
        told["widget"] = widget
    return told


def told_of(service: Known, key: str) -> str:
    """The label ``homepage.<key>`` for a file in git; "" where a variable in it may be a secret, or is not known."""
    return _public(labels_of(service.data).get(f"homepage.{key}", ""), service.env)


def _public(text: str, env: Mapping[str, str]) -> str:
    names = {m[1] for m in _NAME.finditer(text) if m[1]}
    if any((is_secret_name(n) and not is_public_name(n)) or [*telling_values([(n, env.get(n, ""))])] for n in names):
        return ""
    filled = expand(text, env)
    return "" if names and _LEFT.search(filled) else filled


def _widget(route: HostRoute) -> dict[str, Any]:
    raw = {k.removeprefix(_WIDGET): v for k, v in labels_of(route.service.data).items() if k.startswith(_WIDGET)}
    url = _reached(route, _address(raw.get("url", ""), route.service.env))
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


def _address(url: str, env: Mapping[str, str]) -> str:
    """The URL filled in; "" where anything but scheme, host and port is a variable's, or one may be a secret."""
    scheme, between, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    tail = rest[len(host) :]
    if not _VARIABLE.search(url):
        return expand(url, env)
    if not between or _VARIABLE.search(tail):
        return ""
    parts = (_public(scheme, env), _public(host, env), expand(tail, env))
    whole = f"{parts[0]}://{parts[1]}{parts[2]}"
    # A value or a default may have a path in it.
    alone = whole == expand(url, env) and not re.search(r"[/?#]", f"{parts[0]}{parts[1]}")
    return whole if parts[0] and parts[1] and alone else ""


def _reached(route: HostRoute, url: str) -> str:
    """The URL with the host's private address in place of a container's name; "" where nothing leads there."""
    service = route.service
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        address = urlsplit(route.url).hostname or ""
    except ValueError:
        return ""
    if "$" in url or parts.username or parts.password or parts.query:
        return ""
    if host not in _names(service):
        # A name or address that is nobody's container's alone, and means the same on every machine.
        return url if ("." in host or ":" in host) and not _own(host) else ""
    at = port or _PORTS.get(parts.scheme, 0)
    if service.data.get("network_mode") != "host":
        at = published_at(service.data.get("ports"), service.env, at, address)
    return f"{parts.scheme}://{bracketed(address)}:{at}{parts.path}" if at else ""


def _own(host: str) -> bool:
    """Whether each machine means itself by it."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return bool(_OWN_NAMES.fullmatch(host.rstrip(".")))
    one = getattr(found, "ipv4_mapped", None) or found
    return one.is_loopback or one.is_unspecified or one.is_link_local or one == _BRIDGE


def _names(service: Known) -> set[str]:
    mode = str(service.data.get("network_mode") or "")
    own = {service.name, expand(str(service.data.get("container_name") or service.name), service.env)}
    return {n.lower() for n in own} | (
        {mode.removeprefix("service:").lower()} if mode.startswith("service:") else set()
    )
