"""The bill of materials, from the lock: CycloneDX 1.6 as JSON.

Source of the form: cyclonedx.org/docs/1.6/json. Package URLs: the purl specification, type ``pypi``.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from release.lock import PROJECT, Pin, needed_to_run, requires


def bill(pins: Mapping[str, Pin], version: str, made_at: str) -> dict[str, Any]:
    """The bill of what runs.

    Args:
        pins: the whole lock; what only tests and tools need is left out.
        version: the project's own.
        made_at: RFC 3339 in UTC.
    """
    runs = needed_to_run(pins)
    refs = {name: _purl(name, pin.version) for name, pin in runs.items()}
    own = _purl(PROJECT, version)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # The same content gives the same number.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join([own, *refs.values()]))}",
        "version": 1,
        "metadata": {
            "timestamp": made_at,
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": PROJECT,
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": [_component(pin, refs[name]) for name, pin in runs.items()],
        "dependencies": [
            {"ref": own, "dependsOn": [refs[n] for n in requires(runs, PROJECT)]},
            *({"ref": refs[name], "dependsOn": [refs[n] for n in requires(runs, name)]} for name in runs),
        ],
    }


def _component(pin: Pin, ref: str) -> dict[str, Any]:
    """A package; it has a hash of its own only where the lock allows one file alone."""
    found: dict[str, Any] = {"type": "library", "bom-ref": ref, "name": pin.name, "version": pin.version, "purl": ref}
    if len(pin.hashes) == 1:
        found["hashes"] = [{"alg": "SHA-256", "content": pin.hashes[0]}]
    else:
        found["properties"] = [{"name": "homelab-mcp:sha256-of-a-file", "value": value} for value in pin.hashes]
    if pin.marker:
        found["properties"] = [*found.get("properties", []), {"name": "homelab-mcp:marker", "value": pin.marker}]
    return found


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
