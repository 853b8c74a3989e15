"""A definition as a file's text, the beginning of a new one, and how two differ."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput

_HEAD = "# docs/catalog.md explains every field; `homelab-mcp catalog check` looks at the whole.\n"
_LATER = "Not looked up yet."


def definition_text(definition: ServiceDefinition) -> str:
    """The definition as YAML, fields that are at their default left out."""
    data = definition.model_dump(mode="json", exclude_defaults=True)
    lines = [line for key, value in data.items() for line in entry(key, value, 0, Style())]
    return "\n".join(lines) + "\n"


def new_text(name: str, image: str, port: int, data: Sequence[str] = ()) -> str:
    """The beginning of a definition, which passes every rule and leaves what only its makers' pages say to be told.

    Args:
        name: its id.
        image: ``repository:tag``.
        port: the container's, which the route leads to; 0: no web page.
        data: folders in the container that it keeps data in.

    Raises:
        InvalidInput: an image without a tag, or what a definition cannot hold (``bad_definition``).
    """
    repository, separator, tag = image.rpartition(":")
    if not separator or "/" in tag:
        raise InvalidInput(f"{image[:100]!r} has no tag.", hint="Write repository:tag.", code="bad_definition")
    names = ["data", *(f"data{n}" for n in range(2, len(data) + 1))]
    values: dict[str, Any] = {
        "id": name,
        "name": name.replace("-", " ").title(),
        "summary": "Say in one sentence what it does.",
        "category": "utilities",
        "level": "draft",
        "stack": "utilities",
        "links": {"upstream": "https://example.org/", "documentation": "https://example.org/"},
        "sources": [{"facts": "image tag, port, folders", "where": "the page that you have them from"}],
        "container": {
            "image": {"repository": repository, "tag": tag},
            "user_note": _LATER,
            "ports": [{"container": port, "purpose": "web"}] if port else [],
            "volumes": [
                {"kind": "data", "target": target} | ({"name": n} if n != "data" else {})
                for n, target in zip(names, data, strict=False)
            ],
            "health_note": _LATER,
            "resources": "web",
        },
        "lazy": {"ok": False, "why": _LATER},
        "vpn": {"use": "no", "why": _LATER},
        "gpu": {"use": "none", "why": _LATER},
        "backup": {"notes": _LATER, "include": names[: len(data)]},
    }
    if port:
        values["route"] = {"port": port, "subdomain": name, "sso": {"policy": "protect", "why": _LATER}}
    from homelab_mcp.core.catalog import parse_definition

    lines = [line for key, value in values.items() for line in entry(key, value, 0, Style())]
    text = _HEAD + "\n".join(lines) + "\n"
    parse_definition(text, name)
    return text


def difference(old: ServiceDefinition, new: ServiceDefinition, old_name: str, new_name: str) -> str:
    """What is another in the new one, as a unified diff of both texts; "" where nothing is."""
    before, after = (definition_text(each).splitlines(keepends=True) for each in (old, new))
    return "".join(difflib.unified_diff(before, after, old_name, new_name))
