"""Which entries of the journal must not be lost from sight when it goes on in a new file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CONTINUED = "journal_continued"
"""First entry of a journal file that follows another."""

CUT = "journal_cut"
"""Written where lines were found to be missing at the journal's end."""

_BEGINS = "apply_begin"
_SETTLES = frozenset({"apply_done", "rolled_back", "recovered", "rollback_accepted"})


def unsettled(entries: Iterable[Mapping[str, Any]], file: str, carried: Mapping[str, str]) -> dict[str, str]:
    """Plan id to the file in which its apply began, for each that did not end well.

    Args:
        entries: what stands in that file.
        file: its name.
        carried: what was unsettled before it.
    """
    found = dict(carried)
    for entry in entries:
        data = entry.get("data")
        plan = str(data.get("plan", "")) if isinstance(data, dict) else ""
        if entry.get("event") == _BEGINS:
            found[plan] = file
        elif entry.get("event") in _SETTLES:
            found.pop(plan, None)
    return found


def carried_into(entry: Mapping[str, Any]) -> dict[str, str]:
    """What a file's first entry says was unsettled before it; empty for any other entry."""
    data = entry.get("data")
    if entry.get("event") != CONTINUED or not isinstance(data, dict):
        return {}
    rows = data.get("unsettled")
    return {str(k): str(v) for k, v in rows.items()} if isinstance(rows, dict) else {}
