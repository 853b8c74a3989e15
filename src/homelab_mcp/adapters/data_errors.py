"""What is told of data that does not move, wherever it is."""

from __future__ import annotations

from homelab_mcp.model.errors import InvalidInput, StorageFailed


def missing(source: str) -> InvalidInput:
    """There is nothing to move."""
    return InvalidInput(f"{source} is not there.", code="data_missing", hint="Ask for a new plan.")


def in_the_way(target: str) -> InvalidInput:
    """Something is where it should go."""
    return InvalidInput(
        f"{target} is there already, and data is never put over other data.",
        code="data_in_the_way",
        hint="Move it away first, then ask for a new plan.",
    )


def other_file_system(source: str, target: str) -> StorageFailed:
    """It would be a copy."""
    return StorageFailed(
        f"{source} and {target} are on different file systems, so that data cannot be moved in one step.",
        code="other_file_system",
        hint="Copy it by hand while the service is stopped, or leave the service where it is.",
    )


def mounted_inside(path: str, where: str = "") -> StorageFailed:
    """It would delete what is on another disk, which is not in the trash."""
    return StorageFailed(
        f"{path} is not deleted, as something is mounted in it{where and f' on host {where}'}.",
        code="mounted_inside",
        hint="Unmount it there first: what is on it would be deleted too.",
    )
