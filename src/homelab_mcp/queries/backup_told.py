"""What the script's ``status`` tells beside its last runs; one of a version before tells less."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from homelab_mcp.core.brought_files import files_mark


def ended_early(status: Sequence[str]) -> list[str]:
    """A sentence on a run that was killed, as none has begun since."""
    begun = next((line[6:] for line in status if line.startswith("BROKE ")), "")
    if not begun.isdigit():
        return []
    when = datetime.fromtimestamp(float(begun), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        f"The run of {when} was ended before it was done, so it made no backup; `homelab-mcp backup run` makes one."
    ]


def made_before(status: Sequence[str], override: str | None, service: str) -> list[str]:
    """A sentence on a container of another host that was made before its files became what they are.

    A script that names no files is of a version before.
    """
    wanted = files_mark(override)
    has = next((line[6:] for line in status if line.startswith("FILES ")), "")
    if not wanted or has == wanted:
        return []
    return [
        f"Its container was made before its files changed, so it goes by an older list of databases and settings: the "
        f"next plan of any kind makes it anew, as does one that recreates {service}."
    ]
