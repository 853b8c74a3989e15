"""Changing one entry of ``homelab.yaml``'s ``external`` and nothing else in the file.

Two proofs as for compose files (docs/decisions/0002-loss-free-editing.md): read again, the file means what it meant,
plus or minus the entry; and what was added can be taken out again byte for byte.
"""

from __future__ import annotations

from typing import Any

from homelab_mcp.core import yaml_span
from homelab_mcp.model.errors import EditRefused, NotFound
from homelab_mcp.model.external import ExternalRoute
from homelab_mcp.model.lab import SETTINGS_FILE

_SECTION = "external"


def set_external(text: str, name: str, route: ExternalRoute) -> str:
    """The settings' text with this external service, added or in place of the one of that name.

    Raises:
        EditRefused: the text is written so that it cannot be added to alone.
    """
    data = _read(text)
    value = route.model_dump(mode="json", exclude_defaults=True)
    if name in (data.get(_SECTION) or {}):
        return set_external(remove_external(text, name), name, route)
    if data.get(_SECTION):
        edited = yaml_span.insert_entry(text, (_SECTION,), name, value)
    else:
        if _SECTION in data:
            text = yaml_span.remove_entry(text, (_SECTION,))
        edited = yaml_span.append_section(text, _SECTION, {name: value}, gap=False)
    _check(edited, {**data, _SECTION: {**(data.get(_SECTION) or {}), name: value}})
    return edited


def remove_external(text: str, name: str) -> str:
    """The settings' text without this external service; the section goes with the last.

    Raises:
        NotFound: there is none of that name.
        EditRefused: its lines cannot be cut out alone.
    """
    data = _read(text)
    present = data.get(_SECTION) or {}
    if name not in present:
        known = ", ".join(sorted(map(str, present))) or "none yet"
        raise NotFound(f"There is no external service {name!r}.", hint=f"There are: {known}.", code="external_unknown")
    rest = {k: v for k, v in present.items() if k != name}
    edited = yaml_span.remove_entry(text, (_SECTION, name) if rest else (_SECTION,))
    expected = {k: v for k, v in data.items() if k != _SECTION} | ({_SECTION: rest} if rest else {})
    _check(edited, expected)
    return edited


def _read(text: str) -> dict[str, Any]:
    from homelab_mcp.core.yaml12 import load

    data = load(text)
    if not isinstance(data, dict):
        raise EditRefused(f"{SETTINGS_FILE} is not a mapping.", code="not_a_mapping")
    return data


def _check(text: str, expected: dict[str, Any]) -> None:
    if _read(text) != expected:
        raise EditRefused(
            f"{SETTINGS_FILE} could not be changed in that place alone.",
            hint="Write 'external' as a block of its own, one key a line.",
            code="edit_changed_more",
        )
