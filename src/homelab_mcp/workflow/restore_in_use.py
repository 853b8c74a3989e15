"""Who is in the way of a restore, as far as that is sure before hours of restoring to the side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homelab_mcp.core.backup_coverage import left_out
from homelab_mcp.core.operations.data_holders import refuse_held
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import TRASH
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, DataMove, Draft, EngineAction
from homelab_mcp.ports import Lab
from homelab_mcp.queries.backup_place import Place

if TYPE_CHECKING:
    from homelab_mcp.core.operations.restore_wanted import Wanted


def refuse_in_use(lab: Lab, snapshot: Snapshot, place: Place, what: Wanted) -> None:
    """Raise InvalidInput (``data_in_use``) where the plan would be refused for it, whatever the backup holds.

    What a backup leaves out stays where it is, and so does what the chosen one does not hold, which nobody knows before
    it is restored: only where somebody runs on each of the folders none of them can be swapped. The plan itself judges
    the rest.
    """
    still = tuple(dict.fromkeys((*what.services, *(d.service for d in what.dumps))))
    actions = (EngineAction(ActionKind.REMOVE, "", what.stack, still),) if still else ()

    def in_use(*paths: str) -> InvalidInput | None:
        moves = tuple(DataMove(p, f"{TRASH}/{p}", "") for p in paths if lab.placed_data.identity(p) is not None)
        try:
            refuse_held(Draft("restore_backup", "", (), actions, moves=moves), snapshot, root=lab.roots)
        except InvalidInput as refused:
            return refused
        return None

    paths = [p for p in what.paths if _comes_back(p, place, what)]
    if all(in_use(p) for p in paths) and (refused := in_use(*paths)):
        raise refused


def _comes_back(path: str, place: Place, what: Wanted) -> bool:
    """Whether a backup of this lab has it, and no database in it that is put away only where there is a dump of it."""
    if any(f.startswith(f"{path}/") for d in what.dumps for f in d.folders):
        return False
    found = ((p, left_out(f"/lab/{path}", p)) for p in place.jobs.excludes)
    return not any(how == "whole" or (how == "part" and p not in place.remade) for p, how in found)
