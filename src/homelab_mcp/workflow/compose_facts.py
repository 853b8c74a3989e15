"""The few facts of a compose file that applying and verifying need."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator
from typing import Any

from homelab_mcp.core.labels import OWNER
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import InvalidInput

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_OWNER = re.compile(r"([0-9]{1,9})(?::([0-9]{1,9}))?")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def bind_folders(stack: str, compose_text: str, services: Collection[str]) -> list[str]:
    """Folders of the stack that these services (empty: all) mount by ``./``, relative to the lab's root, sorted.

    A name with a suffix is taken for a file, which is not ours to make.
    """
    return sorted({p for _, service in _chosen(compose_text, services) for p in _folders(stack, service)})


def folder_owners(stack: str, compose_text: str, services: Collection[str]) -> dict[str, tuple[int, int]]:
    """Those of ``bind_folders`` of which the file says whose they must be -> (uid, gid).

    It says so by the label ``homelab.owner``, or by a ``user`` in figures that is not root.
    """
    found: dict[str, tuple[int, int]] = {}
    for name, service in _chosen(compose_text, services):
        labels = service.get("labels")
        said = str(labels.get(OWNER) or "") if isinstance(labels, dict) else ""
        each = dict(part.rpartition("=")[::2] for part in said.split(",") if part)
        usual = _OWNER.fullmatch(each.get("", "") or str(service.get("user") or ""))
        for path in _folders(stack, service):
            mine = path.startswith(f"{stack}/{name}/")
            owner = _OWNER.fullmatch(each.get(posixpath.basename(path), "")) if mine else None
            if (owner := owner or usual) and int(owner[1]):
                found.setdefault(path, (int(owner[1]), int(owner[2] or owner[1])))
    return found


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


def _chosen(text: str, names: Collection[str]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, body) for name, body in _services(text).items() if not names or name in names]


def _folders(stack: str, service: dict[str, Any]) -> Iterator[str]:
    for volume in _rows(service.get("volumes")):
        source = volume.get("source") if isinstance(volume, dict) else str(volume).split(":", 1)[0]
        if not isinstance(source, str) or not source.startswith("./") or "$" in source:
            continue
        path = posixpath.normpath(f"{stack}/{source[2:]}")
        if path.startswith(f"{stack}/") and "." not in posixpath.basename(path):
            yield path


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
