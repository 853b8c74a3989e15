"""What a service needs to work, and the networks it is in, as its compose file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from homelab_mcp.core.operations.lab_view import Known, LabView


def needs_of(service: Known, lab: LabView) -> tuple[str, ...]:
    """What it names in its file: services of its stack, and the log-in or other middlewares of another service."""
    return tuple(dict.fromkeys((*(f"{service.stack}/{n}" for n in _named(service.data)), *_middlewares(service, lab))))


def networks_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The networks that a service joins by name; ``network_mode`` as it is written."""
    mode = data.get("network_mode")
    if isinstance(mode, str):
        return () if mode.startswith(("service:", "container:")) else (mode,)
    networks = data.get("networks")
    return tuple(str(n) for n in networks) if isinstance(networks, (list, Mapping)) else ("default",)


def _named(data: Mapping[str, Any]) -> Iterator[str]:
    for key in ("depends_on", "links", "volumes_from"):
        value = data.get(key)
        if isinstance(value, (list, Mapping)):
            yield from (str(item).partition(":")[0] for item in value)
    for key in ("network_mode", "ipc", "pid"):
        kind, _, name = str(data.get(key, "")).partition(":")
        if kind == "service":
            yield name


def _middlewares(service: Known, lab: LabView) -> Iterator[str]:
    used = {
        name.strip().partition("@")[0].lower()
        for key, value in service.labels.items()
        if key.startswith("traefik.http.routers.") and key.endswith(".middlewares")
        for name in value.split(",")
        if name.strip().partition("@")[2] in {"", "docker"}
    }
    for other in lab.services:
        defined = {
            k.lower().removeprefix("traefik.http.middlewares.").partition(".")[0]
            for k in other.labels
            if k.lower().startswith("traefik.http.middlewares.")
        }
        if other.where != service.where and used & defined:
            yield other.where
