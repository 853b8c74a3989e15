"""Compose text from data: block style, one line a scalar, the same bytes for the same data.

Every string that YAML 1.1 or 1.2 could read as something else is double-quoted, so that Compose, PyYAML and a person
read the same value (YAML 1.2.2 section 10.3.2; YAML 1.1's ``no``, ``1:20`` and ``010``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Bare text starts with a letter, "/", "./" or "../": never with a digit, so that no number or date can be meant.
# A colon only before such text, so that no mapping can be meant.
_PLAIN = re.compile(r"^(?:[A-Za-z_]|\.{0,2}/)(?:[A-Za-z0-9_./@+ ()%=~-]|:(?=[A-Za-z0-9/._-]))*\Z")
_AMBIGUOUS = re.compile(r"^(?:y|n|yes|no|true|false|on|off|null|nan|inf|~)\Z", re.IGNORECASE)

SERVICE_KEYS = (
    "image",
    "container_name",
    "hostname",
    "restart",
    "user",
    "command",
    "entrypoint",
    "depends_on",
    "network_mode",
    "networks",
    "pid",
    "privileged",
    "cap_add",
    "devices",
    "sysctls",
    "security_opt",
    "ports",
    "environment",
    "volumes",
    "tmpfs",
    "shm_size",
    "healthcheck",
    "stop_grace_period",
    "labels",
    "deploy",
    "logging",
)
"""Order of a service's keys as generated; others follow in the order they were given."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is laid out: spaces a level, lists indented under their key or not, line ending."""

    step: int = 2
    indented_lists: bool = True
    newline: str = "\n"


def scalar(value: str | int | float | bool | None) -> str:
    """One scalar on one line, quoted where any YAML version could read the bare text as something else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    plain = _PLAIN.match(value) and not _AMBIGUOUS.match(value) and not value.endswith(" ")
    return value if plain else _double_quoted(value)


def _double_quoted(value: str) -> str:
    """A YAML double-quoted scalar; JSON's escapes are a subset of YAML's, past the BMP written as they are."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(_escape(c) for c in text)


def _escape(char: str) -> str:
    code = ord(char)
    # NEL, LS, PS and BOM would be read as line breaks or dropped; DEL and C1 controls may not appear raw.
    if code in {0x2028, 0x2029, 0xFEFF} or 0x7F <= code <= 0xA0 or 0xD800 <= code <= 0xDFFF or code in {0xFFFE, 0xFFFF}:
        return f"\\u{code:04x}"
    return char


def flow(value: Any) -> str:
    """Data in flow style on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    # Bare text never holds a flow indicator (see _PLAIN), so the block form serves here as well.
    return scalar(value)


def entry(key: str, value: Any, indent: int, style: Style) -> list[str]:
    """``key: value`` as lines without line endings, at ``indent`` spaces."""
    head = f"{' ' * indent}{scalar(key)}:"
    if isinstance(value, Mapping):
        if not value:
            return [f"{head} {{}}"]
        return [head, *_mapping(value, indent + style.step, style)]
    if isinstance(value, (list, tuple)):
        if not value:
            return [f"{head} []"]
        return [head, *_sequence(value, indent + (style.step if style.indented_lists else 0), style)]
    return [f"{head} {scalar(value)}"]


def service_entry(name: str, block: Mapping[str, Any], indent: int, style: Style) -> list[str]:
    """A service as lines, its keys in the conventional order."""
    known = [k for k in SERVICE_KEYS if k in block]
    ordered = {k: block[k] for k in [*known, *(k for k in block if k not in SERVICE_KEYS)]}
    return entry(name, ordered, indent, style)


def items(values: list[Any] | tuple[Any, ...], indent: int, style: Style) -> list[str]:
    """A list's items as lines without line endings, their dashes at ``indent`` spaces."""
    return _sequence(values, indent, style)


def _mapping(value: Mapping[str, Any], indent: int, style: Style) -> list[str]:
    return [line for key, item in value.items() for line in entry(key, item, indent, style)]


def _sequence(value: list[Any] | tuple[Any, ...], indent: int, style: Style) -> list[str]:
    pad = " " * indent
    lines: list[str] = []
    for item in value:
        if isinstance(item, Mapping) and item:
            inner = _mapping(item, indent + 2, style)
            lines.append(f"{pad}- {inner[0].lstrip(' ')}")
            lines.extend(inner[1:])
        else:
            lines.append(f"{pad}- {flow(item)}")
    return lines
