"""Fixes of values that can have meant one thing only: time zones, hashes, secrets, hosts, and of labels' names."""

from __future__ import annotations

import re

from homelab_mcp.core.checks.fix_edit import Change, Spot, entry_edit
from homelab_mcp.core.checks.fixes import fixer

_MEANT = re.compile(r"Did you mean '?([^'?]+)'?\?")


def _meant(spot: Spot) -> str:
    """The word that the finding asks for, "" where it asks for none."""
    match = _MEANT.search(spot.finding.message)
    return match.group(1) if match else ""


@fixer("HL232")
def unknown_zone(spot: Spot) -> Change | None:
    """Safe: a zone that does not exist counts as UTC, and one zone only has nearly the name."""
    meant = _meant(spot)
    for entry in spot.entries("environment") if meant else ():
        if "$" not in entry.raw:
            return Change(f"Write {meant}", entry_edit(spot.edit, (*spot.home, *entry.path), entry, meant))
    return None


@fixer("HL258")
def nearly_a_word(spot: Spot) -> Change | None:
    """Safe: no program has such a word, and one only has nearly its letters."""
    meant = _meant(spot)
    for entry in spot.entries("environment") if meant else ():
        if "$" not in entry.raw:
            return Change(f"Write {meant}", entry_edit(spot.edit, (*spot.home, *entry.path), entry, meant))
    return None


@fixer("HL233", safe=False)
def misspelt_variable(spot: Spot) -> Change | None:
    """Unsafe: from then on the program gets a value that it has done without so far."""
    meant = _meant(spot)
    for entry in spot.entries("environment") if meant else ():
        edit = entry_edit(spot.edit, (*spot.home, *entry.path), entry, entry.raw, meant)
        return Change(f"Write {meant}", edit, safe=False)
    return None


@fixer("HL234")
def other_secret(spot: Spot) -> Change | None:
    """Safe: the file is not there, and one secret of the service has nearly its name."""
    meant = _meant(spot)
    for entry in spot.entries("environment") if meant else ():
        if "$" not in entry.raw:
            value = f"{entry.raw.rpartition('/')[0]}/{meant}"
            return Change(f"Write {meant}", entry_edit(spot.edit, (*spot.home, *entry.path), entry, value))
    return None


@fixer("HL244")
def eaten_hash(spot: Spot) -> Change | None:
    """Safe: Compose takes parts of the hash for variables without a value; doubled, the hash is what it was."""
    for field in ("labels", "environment"):
        for entry in spot.entries(field):
            if "${" in entry.raw or "$$" in entry.raw:
                return None
            value = entry.raw.replace("$", "$$")
            return Change("Double each '$'", entry_edit(spot.edit, (*spot.home, *entry.path), entry, value))
    return None


@fixer("HL240", "HL251", safe=False)
def unread_label(spot: Spot) -> Change | None:
    """Unsafe: the label begins to work: a tile shows, a container goes to sleep or is updated."""
    meant = _meant(spot)
    for entry in spot.entries("labels") if meant else ():
        head, _, last = entry.key.rpartition(".")
        known = meant if meant.startswith(entry.key[:5]) else f"{head}.{meant}"
        if f"Nobody reads {entry.key}." in spot.finding.message or f"no label {last!r}" in spot.finding.message:
            edit = entry_edit(spot.edit, (*spot.home, *entry.path), entry, entry.raw, known)
            return Change(f"Write {known}", edit, safe=False)
    return None
