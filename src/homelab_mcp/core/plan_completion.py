"""What must come along with a draft's engine actions, whichever operation made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from homelab_mcp.core.network_sharers import with_sharers
from homelab_mcp.core.ports_freed import with_ports_freed
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft


def completed(draft: Draft, snapshot: Snapshot, stacks: Sequence[StackFiles]) -> Draft:
    """The draft with those who share a network that is made anew, and with published ports freed before they move.

    Args:
        draft: as an operation made it.
        snapshot: the lab as it is.
        stacks: the lab's stacks as the draft leaves them.
    """
    after = replace(snapshot, stacks=tuple(stacks))
    return with_ports_freed(with_sharers(draft, after.stacks), snapshot, after)
