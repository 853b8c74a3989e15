"""``homelab.yaml`` to settings and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from homelab_mcp.core.misfit import misfits
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import SETTINGS_FILE, LabSettings

_HEAD = "# What every stack of this lab shares. No secret belongs here: this file is in git."
_GROUPS = ("acme", "traefik")


def parse_settings(text: str) -> LabSettings:
    """Settings from the text of ``homelab.yaml``.

    Raises:
        InvalidInput: not YAML (YamlRefused), or a value that does not fit (code ``bad_settings``).
    """
    from homelab_mcp.core.yaml12 import load

    data = load(text)
    if not isinstance(data, dict):
        raise InvalidInput(
            f"{SETTINGS_FILE} holds no settings.", hint="It needs at least 'domain: ...'.", code="bad_settings"
        )
    return build_settings(data)


def build_settings(values: Mapping[str, Any]) -> LabSettings:
    """Settings from values by name; ``acme.<name>`` reaches into ``acme``, ``traefik.<name>`` into ``traefik``.

    Unset (None, "") values keep their default.

    Raises:
        InvalidInput: a value that does not fit, or no domain (code ``bad_settings``).
    """
    flat: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {
        g: dict(values[g]) if isinstance(values.get(g), Mapping) else {} for g in _GROUPS
    }
    for name, value in values.items():
        group, dot, key = name.partition(".")
        if value is None or value == "" or (name in groups and isinstance(value, Mapping)):
            continue
        if dot and group in groups:
            groups[group][key] = value
        else:
            flat[name] = value
    for group, given in groups.items():
        if given:
            flat.setdefault(group, given)
    try:
        return LabSettings(**flat)
    except ValidationError as error:
        raise InvalidInput(
            f"These settings do not fit: {misfits(error, whole=SETTINGS_FILE, most=50)}.",
            hint=f"Correct them in {SETTINGS_FILE}, or in the options of `homelab-mcp init`.",
            code="bad_settings",
        ) from None


def emit_settings(settings: LabSettings) -> str:
    """The text of ``homelab.yaml``: every setting, in the model's order; ``acme``'s unset ones left out.

    ``external`` and ``catalogs`` are written once there is one: their entries come and go as lines of their own.
    """
    lines = [_HEAD]
    for name, value in settings.model_dump().items():
        if name in ("external", "catalogs"):
            entries = getattr(settings, name).items()
            value = {n: r.model_dump(mode="json", exclude_defaults=True) for n, r in entries}
            if not value:
                continue
        shown = {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        lines += entry(name, shown, 0, Style())
    return "\n".join(lines) + "\n"
