"""From a kept snapshot of the lab's secret files to a plan that puts them back."""

from __future__ import annotations

from collections.abc import Sequence

from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of


def propose_restore(lab: Lab, name: str, paths: Sequence[str], requester: Requester) -> Plan:
    """A plan that restores these files (none named: all) of a snapshot.

    Raises NotFound, InvalidInput, VaultLocked.
    """
    from homelab_mcp.core.operations.restore_snapshot import restore_snapshot

    kept = lab.snapshots.get(name)
    known = {f.path: f for f in kept.files}
    unknown = [p for p in paths if p not in known]
    if unknown:
        raise NotFound(
            f"That snapshot does not hold {', '.join(map(repr, unknown))}.", hint="See `homelab-mcp snapshot show`."
        )
    texts: dict[str, tuple[str, int]] = {}
    left_out = []
    for path in paths or known:
        try:
            texts[path] = (lab.snapshots.content(name, path).decode("utf-8"), known[path].mode)
        except UnicodeDecodeError:
            left_out.append(path)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = restore_snapshot(snapshot, name, texts, read=lab.files.read, left_out=left_out)
    return plan_of(lab, draft, snapshot, requester)
