"""Fixes of variables and of secrets that are written out, which go to the stack's ``.env``."""

from __future__ import annotations

import re

from homelab_mcp.core.checks.fix_edit import Change, Spot, entry_edit
from homelab_mcp.core.checks.fixes import fixer
from homelab_mcp.core.checks.fixes_yaml import data_at
from homelab_mcp.core.checks.view import Entry
from homelab_mcp.core.interpolate import InterpolationInvalid, interpolate

_DEFAULT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):?-([^${}]+)\}")
_IN_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@$]*:([^@\s/$]{4,})@")
_GOOD = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?:\}|:?[-?+])")


@fixer("HL052")
def bad_dollar(spot: Spot) -> Change | None:
    """Safe: Compose refuses the file, and a '$' that begins no variable can only have been meant as such."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    if slot is None or not isinstance(value, str):
        return None
    out, at = [], 0
    while at < len(value):
        if value.startswith("$$", at):
            out.append("$$")
            at += 2
        elif value.startswith("${", at) and not _GOOD.match(value, at):
            out.append("$$")
            at += 1
        else:
            out.append(value[at])
            at += 1
    meant = "".join(out)
    try:
        interpolate(meant, {})
    except InterpolationInvalid:
        return None
    return Change("Double the '$'", spot.edit.set(slot.path, meant)) if meant != value else None


@fixer("HL055")
def group_is_user(spot: Spot) -> Change | None:
    """Safe where the right variable has a value or a default; unsafe else, as it would be empty."""
    for entry in spot.entries("environment"):
        match = re.match(r"[\"']?\$\{?([A-Z]+)", entry.raw)
        if match is None:
            return None
        value = entry.raw.replace(match.group(1), entry.key, 1)
        known = entry.key in spot.stack.env or ":-" in value or f"{entry.key}-" in value
        edit = entry_edit(spot.edit, (*spot.home, *entry.path), entry, value)
        return Change(f"Use ${{{entry.key}}}", edit, safe=known)
    return None


def _moved(spot: Spot, entry: Entry, secret: str, wanted: str, around: tuple[str, str] = ("", "")) -> Change | None:
    """The secret in ``.env`` under the wanted name, or one with the service's before it where that is taken."""
    base = re.sub(r"[^A-Z0-9_]", "_", wanted.upper()).strip("_")
    owner = re.sub(r"[^A-Z0-9_]", "_", spot.finding.service.upper())
    plain = secret.replace("$$", "$")
    names = [n for n in (base, f"{owner}_{base}") if re.fullmatch(r"[A-Z_][A-Z0-9_]*", n)]
    name = next((n for n in names if spot.stack.env.get(n, plain) == plain and not _used_elsewhere(spot, n)), None)
    if name is None:
        return None
    value = f"{around[0]}${{{name}}}{around[1]}"
    edit = entry_edit(spot.edit, (*spot.home, *entry.path), entry, value)
    if name not in spot.stack.env:
        edit.put_env(name, plain)
    return Change(f"Move the value to .env as {name}", edit, safe=False)


def _used_elsewhere(spot: Spot, name: str) -> bool:
    """True for a variable without a value that the file uses already: giving it one would change more than this."""
    used = re.search(rf"\$\{{?{re.escape(name)}(?![A-Za-z0-9_])", spot.source.text)
    return bool(used) and name not in spot.stack.env


@fixer("HL054", safe=False)
def literal_secret(spot: Spot) -> Change | None:
    """Unsafe: it edits a second file; the value stays in the history of git, and should be made anew."""
    for entry in spot.entries("environment"):
        default = _DEFAULT.fullmatch(entry.raw.strip())
        if default is None:
            return _moved(spot, entry, entry.raw, entry.key)
        name, value = default.groups()
        edit = entry_edit(spot.edit, (*spot.home, *entry.path), entry, f"${{{name}}}")
        if name not in spot.stack.env:
            edit.put_env(name, value)
        return Change(f"Move the default to .env as {name}", edit, safe=False)
    return None


@fixer("HL058", safe=False)
def hidden_secret(spot: Spot) -> Change | None:
    """Unsafe, as HL054. A password in a command is left to a person."""
    for entry in spot.entries("environment"):
        match = _IN_ADDRESS.search(entry.raw)
        if match is None:
            return None
        around = entry.raw[: match.start(1)], entry.raw[match.end(1) :]
        return _moved(spot, entry, match.group(1), f"{entry.key}_PASSWORD", around)
    return None


@fixer("HL059", safe=False)
def label_secret(spot: Spot) -> Change | None:
    """Unsafe, as HL054."""
    for entry in spot.entries("labels"):
        return _moved(spot, entry, entry.raw, f"{spot.finding.service}_{entry.key.rpartition('.')[2]}")
    return None
