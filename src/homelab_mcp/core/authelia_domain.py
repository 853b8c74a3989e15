"""Authelia's own configuration when the lab's domain changes: cookies, addresses and rules that name it.

Facts: Authelia 4.39, ``docs/content/configuration/session/introduction.md`` (a cookie is bound to its domain, and the
portal's address must be within it), ``configuration/security/access-control.md`` (rules name domains).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from homelab_mcp.core import yaml_put
from homelab_mcp.core.yaml12 import Path, load
from homelab_mcp.model.errors import EditRefused, InvalidInput

_SECTIONS = ("session", "access_control", "totp", "webauthn", "identity_providers", "default_redirection_url")
"""What names the domain because it is the lab's; an address of a person or a mail server elsewhere is not touched."""


def moved(text: str, old: str, new: str) -> str:
    """A ``configuration.yml`` with the new domain wherever those parts name the old one, and nothing else changed.

    Raises:
        InvalidInput: it cannot be read.
        EditRefused: a value that cannot be changed alone.
    """
    data = load(text)
    if not isinstance(data, dict):
        raise InvalidInput("Authelia's configuration is no mapping.", code="bad_configuration")
    named = re.compile(rf"(?<![A-Za-z0-9@-])((?:[A-Za-z0-9*_-]+\.)*){re.escape(old)}(?![A-Za-z0-9-]|\.[A-Za-z0-9])")
    after = text
    for path, value in [*_strings(data)]:
        wanted = named.sub(lambda found: f"{found[1]}{new}", value)
        if wanted != value:
            yaml_put.set_in(data, path, wanted)
            after = yaml_put.put(after, path, wanted)
    if load(after) != data:
        raise EditRefused("Authelia's configuration would not read back as meant.", code="edit_changed_more")
    return after


def _strings(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    for section in _SECTIONS:
        if section in data:
            yield from _below(data[section], (section,))


def _below(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _below(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _below(item, (*path, number))
