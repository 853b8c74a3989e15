"""One service, whole: what its files say, explained, and what its container does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from homelab_mcp.core import service_explain
from homelab_mcp.core.compose_parts import as_written
from homelab_mcp.core.declared import environment
from homelab_mcp.core.lazy_needs import definition_of
from homelab_mcp.core.operations.lab_view import Known, expand
from homelab_mcp.core.redact import env_pairs
from homelab_mcp.core.stack_texts import loaded
from homelab_mcp.core.yaml12 import YamlRefused, load
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import HomelabError, NotFound
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import find_in, read_stacks
from homelab_mcp.queries.lab_status import status_of

_TEXT = 400


def service_details(lab: Lab, service: str, stack: str = "") -> dict[str, Any]:
    """A service's configuration with an explanation, its container's state, and its definition's notes.

    Secrets are masked, and names of variables come without values. Raises NotFound, InvalidInput.
    """
    stacks = read_stacks(lab.files)
    place, name = find_in(stacks, service, stack)
    shared = lab.files.read("global.env") or ""
    known: list[Known] = []
    declared: Mapping[str, Any] = {}
    for one in stacks:
        data = _data(one, shared)
        if one.name == place:
            declared = _mapping(data.get("networks"))
        env = environment(one, shared)
        known += [Known(one.name, str(n), d, env) for n, d in _mapping(data.get("services")).items() if _mapping(d)]
    found = next((k for k in known if (k.stack, k.name) == (place, name)), None)
    if found is None:
        raise NotFound(f"{place}/{name} says nothing.", hint="validate_compose tells what is wrong with its file.")
    own = next(one for one in stacks if one.name == place)
    body = _configuration(found, known, declared, {*_names(shared), *_names(own.env_text)})
    body["state"] = _state(lab, place, name)
    body |= _from_catalog(definition_of(found, lab.catalog.get))
    body["explained"] = service_explain.story(found, body)
    hide = lab.redactor.safe
    return {key: _safe(value, hide) for key, value in body.items() if value}


def _configuration(service: Known, lab: list[Known], declared: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    data = service.data
    command = data.get("command")
    return {
        "service": service.where,
        "image": expand(str(data.get("image") or ""), service.env) or "built here",
        "command": [str(one) for one in command][:40] if isinstance(command, list) else str(command or ""),
        "user": str(data.get("user") or ""),
        "restart": str(data.get("restart") or ""),
        "routes": service_explain.routes_of(service, lab),
        "ports": service_explain.ports_of(service),
        "networks": service_explain.networks_of(service, lab, declared),
        "mounts": service_explain.mounts_of(service),
        "variables": service_explain.variables_of(service, dict.fromkeys(names)),
        "limits": service_explain.limits_of(service),
        "health": service_explain.health_of(service),
        "needs": service_explain.depends_of(service),
        "needed_by": service_explain.needed_by(service, lab),
        "rights": service_explain.rights_of(service),
    }


def _data(stack: StackFiles, shared: str) -> Mapping[str, Any]:
    """The stack's file, with what override and included files bring; {} where it cannot be read."""
    try:
        data = _mapping(load(stack.compose_text))
    except YamlRefused:
        return {}
    if not stack.others and not stack.named:
        return data
    merged = loaded(stack, environment(stack, shared)).merged
    return {**data, "services": as_written(merged.services)} if merged is not None else data


def _state(lab: Lab, stack: str, name: str) -> list[dict[str, Any]]:
    try:
        rows = status_of(lab, stack, 200)["services"]
    except HomelabError:
        return []
    told = {"stack", "service", "image"}
    return [{k: v for k, v in row.items() if k not in told} for row in rows if row["service"] == name]


def _from_catalog(definition: ServiceDefinition | None) -> dict[str, Any]:
    if definition is None:
        return {}
    return {
        "is": f"{definition.name}: {definition.summary}",
        "notes": list(definition.notes),
        "backup": definition.backup.notes,
        "upgrade": definition.upgrade,
        "docs": definition.links.documentation,
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(env_text: str) -> list[str]:
    return [name for name, _ in env_pairs(env_text)]


def _safe(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        text = hide(value)
        return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"
    if isinstance(value, Mapping):
        return {key: _safe(one, hide) for key, one in value.items()}
    return [_safe(one, hide) for one in value] if isinstance(value, list) else value
