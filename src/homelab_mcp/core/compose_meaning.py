"""What a compose file means: its data, what its services use, and whether two files mean the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from homelab_mcp.model.errors import EditRefused, InvalidInput

RECORD = "x-homelab-added"
"""Key inside a service that lists what its addition brought along: ``networks:NAME``, ``volumes:NAME``,
``url:ADDRESS``, ``section:NAME`` (the section was not there), ``form:DIGEST`` (a declaration's own
form) and ``layout:WORD`` (how to restore the file's bytes)."""

DOCKGE = "x-dockge"


def read(text: str) -> dict[str, Any]:
    """A compose text as plain data; {} for an empty one.

    Raises:
        YamlRefused: not YAML that can be read safely.
        EditRefused: its top level or its ``services`` are no mapping.
    """
    from homelab_mcp.core.yaml12 import load

    data = load(text)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise EditRefused("The compose file's top level is not a mapping.", code="not_a_mapping")
    if not isinstance(data.get("services") or {}, dict):
        raise EditRefused("'services' is not a mapping.", code="not_a_mapping")
    return data


def services_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """The ``services`` of a compose file's data; {} where there are none."""
    return dict(data.get("services") or {})


def check_meaning(text: str, expected: Mapping[str, Any]) -> None:
    """Refuse an edited text that does not mean what it should."""
    try:
        data = read(text)
    except InvalidInput as error:
        raise EditRefused(
            "The file could not be read after the edit.", code="edit_broke_file", details={"problem": error.message}
        ) from error
    if not same(_settled(data), _settled(expected)):
        raise EditRefused("The edit would have changed more than it should.", code="edit_changed_more")


def _settled(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with empty sections written one way; ``networks:`` and ``networks: {}`` mean the same."""
    result = {k: (v or None) if k in {"services", "networks", "volumes"} else v for k, v in data.items()}
    dockge = result.get(DOCKGE)
    if isinstance(dockge, dict):
        result[DOCKGE] = {k: (v or None) if k == "urls" else v for k, v in dockge.items()} or None
    return result


def same(left: Any, right: Any) -> bool:
    """Equal in value and type, all the way down (``1``, ``1.0`` and ``True`` differ; so does ``nan`` from others)."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(v, right[k]) for k, v in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right) and (left == right or (left != left and right != right))


def record_of(service: Any) -> list[str]:
    """What a service's addition brought along, as listed in it."""
    record = service.get(RECORD) if isinstance(service, Mapping) else None
    return [t for t in record if isinstance(t, str)] if isinstance(record, list) else []


def form_token(section: str, name: str, value: Any) -> str:
    """What a record says of a declaration in a form of its own, so that one that was changed since is told apart."""
    digest = hashlib.sha256(json.dumps([section, name, value], sort_keys=True, default=str).encode()).hexdigest()
    return f"form:{digest[:16]}"


def tokens_of(data: Mapping[str, Any]) -> frozenset[str]:
    """Everything that any service of the file lists."""
    return frozenset(token for service in services_of(data).values() for token in record_of(service))


def names_in(value: Any) -> list[str]:
    """The names in either form Compose allows: a list, or a mapping's keys."""
    return [str(v) for v in value] if isinstance(value, (list, Mapping)) else []


def networks_used(services: Mapping[str, Any]) -> set[str]:
    """Networks that these services join."""
    return {n for s in services.values() if isinstance(s, Mapping) for n in names_in(s.get("networks"))}


def named_volumes(service: Mapping[str, Any]) -> set[str]:
    """Named volumes (not folders) that a service mounts."""
    found: set[str] = set()
    for volume in service.get("volumes") or ():
        source = volume.get("source") if isinstance(volume, Mapping) else str(volume).partition(":")[0]
        if isinstance(source, str) and source[:1] not in {"", ".", "/", "~", "$"}:
            found.add(source)
    return found


def volumes_used(services: Mapping[str, Any]) -> set[str]:
    """Named volumes that these services mount."""
    return {n for s in services.values() if isinstance(s, Mapping) for n in named_volumes(s)}
