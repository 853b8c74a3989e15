"""The few facts of a compose file that applying and verifying need."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from typing import Any

from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import InvalidInput

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def bind_folders(stack: str, compose_text: str, services: Collection[str]) -> list[str]:
    """Folders of the stack that these services (empty: all) mount by ``./``, relative to the lab's root, sorted.

    A name with a suffix is taken for a file, which is not ours to make.
    """
    found = set()
    for name, service in _services(compose_text).items():
        if services and name not in services:
            continue
        for volume in _rows(service.get("volumes")):
            source = volume.get("source") if isinstance(volume, dict) else str(volume).split(":", 1)[0]
            if not isinstance(source, str) or not source.startswith("./") or "$" in source:
                continue
            path = posixpath.normpath(f"{stack}/{source[2:]}")
            if path.startswith(f"{stack}/") and "." not in posixpath.basename(path):
                found.add(path)
    return sorted(found)


def services_written(before: str, after: str) -> frozenset[str]:
    """Services that are new in a compose file or say something else than before."""
    old = _services(before)
    return frozenset(name for name, body in _services(after).items() if old.get(name) != body)


def start_periods(compose_text: str) -> dict[str, float]:
    """Seconds of each service's ``healthcheck.start_period``, where one is set."""
    found = {}
    for name, service in _services(compose_text).items():
        check = service.get("healthcheck")
        period = check.get("start_period") if isinstance(check, dict) else None
        if isinstance(period, str):
            found[name] = sum(float(n) * _SECONDS[unit] for n, unit in _PART.findall(period))
    return found


def one_shots(compose_text: str) -> frozenset[str]:
    """Services that another waits for to complete (``service_completed_successfully``): they are meant to exit."""
    found = set()
    for service in _services(compose_text).values():
        needs = service.get("depends_on")
        for name, how in (needs if isinstance(needs, dict) else {}).items():
            if isinstance(how, dict) and how.get("condition") == "service_completed_successfully":
                found.add(str(name))
    return frozenset(found)


def _services(text: str) -> dict[str, dict[str, Any]]:
    try:
        data = load(text)
    except InvalidInput:
        return {}
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict):
        return {}
    return {str(name): body for name, body in services.items() if isinstance(body, dict)}


def _rows(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
