"""Data that a plan's way back does not bring back: another image may change it for good at its first start."""

from __future__ import annotations

from homelab_mcp.core.operations.lab_view import Known, view
from homelab_mcp.core.operations.volume_edit import writes
from homelab_mcp.model.observed import Snapshot


def data_at_stake(before: Snapshot, after: Snapshot) -> list[str]:
    """A sentence where services that keep data get another image; none where no image changes.

    Args:
        before: the lab as it is, of the stacks whose files change.
        after: the same as the plan leaves it.
    """
    was = {(s.stack, s.name): str(s.data.get("image", "")) for s in view(before).services}
    names = [s.name for s in view(after).services if _changed(s, was.get((s.stack, s.name))) and _keeps(s)]
    if not names:
        return []
    return [
        f"Another image may change the data of {', '.join(names)} for good; rolling back leaves data as it then is: "
        "make a backup first (`homelab-mcp backup run`)."
    ]


def _changed(service: Known, image: str | None) -> bool:
    return image is not None and str(service.data.get("image", "")) != image


def _keeps(service: Known) -> bool:
    volumes = service.data.get("volumes")
    return isinstance(volumes, list) and any(writes(v) for v in volumes)
