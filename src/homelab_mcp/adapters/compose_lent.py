"""What Compose hashes of a service that uses another's network, IPC or process numbers.

``up`` writes the other container's id into the service before it hashes it, so that the service is made anew with the
other one; ``config --hash`` leaves ``service:NAME`` as it stands (measured with 2.26; compose ``pkg/compose``,
``resolveSharedNamespaces``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from homelab_mcp.core.project_name import ONE_OFF_LABEL

_ONE_OFF = f"{ONE_OFF_LABEL}="
_LENT = ("network_mode", "ipc", "pid")
_SERVICE = "service:"


def lenders(model: Mapping[str, Any]) -> dict[str, set[str]]:
    """Service -> those whose namespaces it uses; ``model`` is what ``config --format json`` prints."""
    found = {}
    for name, data in (model.get("services") or {}).items():
        words = [str(data.get(key) or "") for key in _LENT]
        if used := {word.removeprefix(_SERVICE) for word in words if word.startswith(_SERVICE)}:
            found[name] = used
    return found


def joined(model: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """The model with the containers' ids in place of the services that have one; ``ids``: service -> id."""

    def put(data: Mapping[str, Any]) -> dict[str, Any]:
        named = {key: str(data[key]).removeprefix(_SERVICE) for key in _LENT if str(data.get(key)).startswith(_SERVICE)}
        return {**data, **{key: f"container:{ids[name]}" for key, name in named.items() if name in ids}}

    return {**model, "services": {name: put(data) for name, data in (model.get("services") or {}).items()}}


def unknown(model: Mapping[str, Any], ids: Mapping[str, str]) -> set[str]:
    """Services whose hash nobody can tell: of volumes taken from others, and of others that have no container."""
    mounted = {name for name, data in (model.get("services") or {}).items() if data.get("volumes_from")}
    return mounted | {name for name, used in lenders(model).items() if not used <= ids.keys()}


def ids_of(said: str) -> dict[str, str]:
    """Service -> its container's id; ``said`` is what ``ps --all --format json`` prints.

    A container that ``run`` made beside the service's own is none of it. Older versions print one list, newer ones an
    object a line, with the labels as one text (measured with 2.26). What is no JSON names nobody.
    """
    try:
        lines = [json.loads(line) for line in said.splitlines() if line.strip()]
    except ValueError:
        return {}
    found: dict[str, str] = {}
    for read in lines:
        for one in read if isinstance(read, list) else [read]:
            if not isinstance(one, dict):
                continue
            labels = one.get("Labels") or {}
            told = labels.get(ONE_OFF_LABEL, "") if isinstance(labels, dict) else labels.partition(_ONE_OFF)[2][:4]
            if told.lower() != "true":
                found.setdefault(str(one.get("Service")), str(one.get("ID")))
    return found
