"""What must come along with a draft's engine actions, whichever operation made it."""

from __future__ import annotations

from dataclasses import replace

from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.network_sharers import with_sharers
from homelab_mcp.core.ports_freed import with_ports_freed
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft


def completed(draft: Draft, snapshot: Snapshot) -> Draft:
    """The draft with those who share a network that is made anew, and with published ports freed before they move."""
    after = replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits))
    return with_ports_freed(with_sharers(draft, after.stacks), snapshot, after)
