"""Fixes of what makes a service hard to keep running, or opens more than it should."""

from __future__ import annotations

import re

from homelab_mcp.core.checks.fix_edit import Change, Spot
from homelab_mcp.core.checks.fixes import fixer
from homelab_mcp.core.checks.fixes_yaml import data_at
from homelab_mcp.core.checks.images import is_database, runs_server
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open

_ROTATION = {"max-size": "10m", "max-file": "3"}
_SHORT = re.compile(r"(?:(?:0\.0\.0\.0|\[::\]|::):)?([0-9-]+:[0-9-]+(?:/[a-z]+)?)\Z")


@fixer("HL114")
def no_restart(spot: Spot) -> Change | None:
    """Safe for what plainly stays up (ports, routes, health check, a database's server), no job, not 'scale: 0'."""
    if spot.service is None:
        return None
    edit = spot.edit.add(spot.home, "restart", "unless-stopped")
    return Change("Add restart: unless-stopped", edit, safe=_stays_up(spot.service))


def _stays_up(service: ServiceView) -> bool:
    data = service.data
    serves = service.published or service.routed or data.get("expose") or data.get("healthcheck")
    return bool(serves or runs_server(service)) and not service.profiles and not _may_be_none(service)


def _may_be_none(service: ServiceView) -> bool:
    """Whether no container of it is made by itself: who starts one by hand may want it to end."""
    deploy = service.data.get("deploy")
    counts = (service.data.get("scale"), deploy.get("replicas") if isinstance(deploy, dict) else None)
    return any(is_open(count) or str(count).strip() == "0" for count in counts)


@fixer("HL115")
def endless_logs(spot: Spot) -> Change | None:
    """Safe where the driver is written: json-file. Unsafe else: the engine's own default may be another driver."""
    if spot.service is None:
        return None
    logging = spot.service.data.get("logging")
    path = (*spot.home, "logging")
    title = "Rotate its log (10 MB, three files)"
    if logging is None and "logging" not in spot.service.data:
        value = {"driver": "json-file", "options": dict(_ROTATION)}
        return Change(title, spot.edit.add(spot.home, "logging", value), safe=False)
    if not isinstance(logging, dict) or not logging:
        return None
    written = logging.get("driver") == "json-file"
    edit = spot.edit
    if "options" not in logging:
        return Change(title, edit.add(path, "options", dict(_ROTATION)), safe=written)
    edit.add((*path, "options"), "max-size", _ROTATION["max-size"])
    if "max-file" not in (logging["options"] or {}):
        edit.add((*path, "options"), "max-file", _ROTATION["max-file"])
    return Change(title, edit, safe=written)


@fixer("HL112", safe=False)
def memory_limit(spot: Spot) -> Change | None:
    """Unsafe: a guess that a person must look at; what needs more is killed."""
    if spot.service is None:
        return None
    limit = "1g" if is_database(spot.service) else "512m"
    return Change(f"Limit its memory to {limit}", spot.edit.add(spot.home, "mem_limit", limit), safe=False)


@fixer("HL102", safe=False)
def new_privileges(spot: Spot) -> Change | None:
    """Unsafe: images that use sudo, or programs with file capabilities, then stop working."""
    if spot.service is None:
        return None
    title = "Add no-new-privileges"
    if "security_opt" in spot.service.data:
        path = (*spot.home, "security_opt")
        return Change(title, spot.edit.push(path, "no-new-privileges:true"), safe=False)
    return Change(title, spot.edit.add(spot.home, "security_opt", ["no-new-privileges:true"]), safe=False)


@fixer("HL091")
def docker_socket(spot: Spot) -> Change | None:
    """Safe: a connection to the socket works the same through a read-only mount."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    if slot is None:
        return None
    title = "Mount the socket read-only"
    if not isinstance(value, str) or "$" in value or value.count(":") not in {1, 2}:
        return None
    source, target, *options = value.split(":")
    words = [w for w in (options[0].split(",") if options else []) if w and w != "rw"]
    return Change(title, spot.edit.set(slot.path, f"{source}:{target}:{','.join([*words, 'ro'])}"))


@fixer("HL043", "HL044", "HL098", "HL105", safe=False)
def open_port(spot: Spot) -> Change | None:
    """Unsafe: who reaches it by the host's address today no longer can."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    match = _SHORT.match(value) if isinstance(value, str) else None
    if slot is None or match is None:
        return None
    edit = spot.edit.set(slot.path, f"127.0.0.1:{match.group(1)}")
    return Change("Publish it on 127.0.0.1 only", edit, safe=False)


@fixer("HL041")
def port_twice(spot: Spot) -> Change | None:
    """Safe: only where a service has the very same item twice, of which Compose takes one."""
    slot = spot.item
    items = data_at(spot, slot.path[:-1]) if slot else None
    if slot is None or not isinstance(items, list) or items[slot.index] not in items[: slot.index]:
        return None
    return Change("Remove the second of two equal items", spot.edit.remove(slot.path))


@fixer("HL042", safe=False)
def container_name(spot: Spot) -> Change | None:
    """Unsafe: other containers or scripts may know it by that name. The first in the lab keeps it."""
    service = spot.service
    name = service.data.get("container_name") if service else None
    first = next((s for s in spot.lab.services if s.data.get("container_name") == name), None)
    if service is None or first is service:
        return None
    taken = {str(s.data.get("container_name") or "") for s in spot.lab.services}
    options = (service.name, f"{service.stack.project}-{service.name}")
    free = next((o for o in options if len(o) > 1 and o not in taken), None)
    slot = spot.value
    if free is None or slot is None:
        return None
    return Change(f"Call it {free}", spot.edit.set(slot.path, free), safe=False)


@fixer("HL099", safe=False)
def open_proxy(spot: Spot) -> Change | None:
    """Unsafe: a client may use what is switched off then."""
    for entry in spot.entries("environment"):
        path = (*spot.home, *entry.path)
        value = f"{entry.key}=0" if isinstance(path[-1], int) else "0"
        return Change(f"Set {entry.key} to 0", spot.edit.set(path, value), safe=False)
    return None


@fixer("HL086")
def both_start(spot: Spot) -> Change | None:
    """Safe: the two differ only in a container that was stopped on purpose, which is Sablier's to start."""
    slot = spot.value
    return Change("Write unless-stopped", spot.edit.set(slot.path, "unless-stopped")) if slot else None


@fixer("HL082", safe=False)
def database_stays_down(spot: Spot) -> Change | None:
    """Unsafe: somebody wrote 'no', perhaps because another tool starts it."""
    slot = spot.value
    return Change("Write unless-stopped", spot.edit.set(slot.path, "unless-stopped"), safe=False) if slot else None
