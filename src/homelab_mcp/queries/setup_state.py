"""Which parts of the core a lab has."""

from __future__ import annotations

from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.setup_request import CORE_PARTS
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks


def core_state(lab: Lab) -> tuple[list[str], list[str]]:
    """(parts that are there, parts that are not), by definition id, in the order in which they are set up."""
    seen = view(Snapshot(read_stacks(lab.files), None))
    there: list[str] = [part for part in CORE_PARTS if seen.made_from(part)]
    return there, [part for part in CORE_PARTS if part not in there]
