"""Changing one entry of ``homelab.yaml``'s ``external`` or ``catalogs`` and nothing else in the file.

Two proofs as for compose files (docs/decisions/0002-loss-free-editing.md): read again, the file means what it meant,
plus or minus the entry; and what was added can be taken out again byte for byte.
"""

from __future__ import annotations

from typing import Any

from homelab_mcp.core import yaml_span
from homelab_mcp.model.catalog_source import CatalogSource
from homelab_mcp.model.errors import EditRefused, NotFound
from homelab_mcp.model.external import ExternalRoute
from homelab_mcp.model.lab import SETTINGS_FILE

_EXTERNAL, _CATALOGS = "external", "catalogs"


def set_external(text: str, name: str, route: ExternalRoute) -> str:
    """The settings' text with this external service, added or in place of the one of that name.

    Raises:
        EditRefused: the text is written so that it cannot be added to alone.
    """
    return _set(text, _EXTERNAL, name, route.model_dump(mode="json", exclude_defaults=True))


def remove_external(text: str, name: str) -> str:
    """The settings' text without this external service; the section goes with the last.

    Raises:
        NotFound: there is none of that name.
        EditRefused: its lines cannot be cut out alone.
    """
    return _remove(text, _EXTERNAL, name, "external service", "external_unknown")


def set_catalog(text: str, name: str, source: CatalogSource) -> str:
    """The settings' text with this catalog, added or in place of the one of that name. Raises EditRefused."""
    return _set(text, _CATALOGS, name, source.model_dump(mode="json", exclude_defaults=True))


def remove_catalog(text: str, name: str) -> str:
    """The settings' text without this catalog; the section goes with the last. Raises NotFound, EditRefused."""
    return _remove(text, _CATALOGS, name, "catalog", "catalog_unknown")


def _set(text: str, section: str, name: str, value: dict[str, Any]) -> str:
    data = _read(text)
    if name in (data.get(section) or {}):
        return _set(_cut(text, section, name), section, name, value)
    if data.get(section):
        edited = yaml_span.insert_entry(text, (section,), name, value)
    else:
        if section in data:
            text = yaml_span.remove_entry(text, (section,))
        edited = yaml_span.append_section(text, section, {name: value}, gap=False)
    _check(edited, {**data, section: {**(data.get(section) or {}), name: value}}, section)
    return edited


def _remove(text: str, section: str, name: str, what: str, code: str) -> str:
    present = _read(text).get(section) or {}
    if name not in present:
        known = ", ".join(sorted(map(str, present))) or "none yet"
        raise NotFound(f"There is no {what} {name!r}.", hint=f"There are: {known}.", code=code)
    return _cut(text, section, name)


def _cut(text: str, section: str, name: str) -> str:
    data = _read(text)
    rest = {k: v for k, v in data[section].items() if k != name}
    edited = yaml_span.remove_entry(text, (section, name) if rest else (section,))
    expected = {k: v for k, v in data.items() if k != section} | ({section: rest} if rest else {})
    _check(edited, expected, section)
    return edited


def _read(text: str) -> dict[str, Any]:
    from homelab_mcp.core.yaml12 import load

    data = load(text)
    if not isinstance(data, dict):
        raise EditRefused(f"{SETTINGS_FILE} is not a mapping.", code="not_a_mapping")
    return data


def _check(text: str, expected: dict[str, Any], section: str) -> None:
    if _read(text) != expected:
        raise EditRefused(
            f"{SETTINGS_FILE} could not be changed in that place alone.",
            hint=f"Write '{section}' as a block of its own, one key a line.",
            code="edit_changed_more",
        )
