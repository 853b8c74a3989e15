"""Joins a lab's parts into the guard's machines; the one place that knows which part each needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homelab_mcp.model.errors import HomelabError
from homelab_mcp.ports import Lab

if TYPE_CHECKING:
    from homelab_mcp.workflow.applier import Applier
    from homelab_mcp.workflow.approvals import Approvals
    from homelab_mcp.workflow.planner import Planner
    from homelab_mcp.workflow.recovery import Recovery
    from homelab_mcp.workflow.verifier import Patience


def planner(lab: Lab) -> Planner:
    """What makes plans in this lab."""
    from homelab_mcp.workflow.planner import Planner

    reach = not lab.files_only
    return Planner(
        files=lab.files,
        plans=lab.plans,
        journal=lab.journal,
        clock=lab.clock,
        engine=lab.engine if reach else None,
        compose=lab.compose if reach else None,
        policy=lab.policy,
        secret_line=lab.history.secret_line,
        root=lab.roots,
    )


def approvals(lab: Lab) -> Approvals:
    """What takes a person's answers in this lab."""
    from homelab_mcp.workflow.approvals import Approvals

    return Approvals(
        plans=lab.plans,
        journal=lab.journal,
        approver=lab.approver,
        clock=lab.clock,
        lock=lab.lock,
        policy=lab.policy,
        root=lab.root,
    )


def applier(lab: Lab, patience: Patience | None = None) -> Applier:
    """What applies plans in this lab; ``patience``: how long it watches what it applied, None as the settings ask."""
    from homelab_mcp.queries.backup_place import host_of_stack
    from homelab_mcp.workflow.applier import Applier
    from homelab_mcp.workflow.inventory import Inventory
    from homelab_mcp.workflow.proposals import lint_of
    from homelab_mcp.workflow.verifier import Verifier

    reach = not lab.files_only
    watched = (patience or _patience(lab)) if reach else None
    return Applier(
        files=lab.files,
        data=lab.placed_data,
        history=lab.history,
        journal=lab.journal,
        plans=lab.plans,
        approver=lab.approver,
        lock=lab.lock,
        clock=lab.clock,
        engine=lab.engine if reach else None,
        compose=lab.compose if reach else None,
        verifier=Verifier(engine=lab.engine, probe=lab.probe, clock=lab.clock, patience=watched) if reach else None,
        policy=lab.policy,
        snapshots=lab.snapshots,
        restic=(lambda stack: lab.restic_at(host_of_stack(lab, stack))) if reach else None,
        trials=lab.trials if reach else None,
        swarm=lab.swarm if reach else None,
        standby=lab.standby if reach else None,
        service_calls=lab.service_calls if reach else None,
        inventory=Inventory(lab),
        lint=lambda: lint_of(lab),
    )


def _patience(lab: Lab) -> Patience:
    from homelab_mcp.workflow.patience import Patience, patience_of

    try:
        return patience_of(lab.settings.acme)
    except HomelabError:
        # What keeps the settings from being read is told by whoever needs them.
        return Patience()


def recovery(lab: Lab) -> Recovery:
    """What puts this lab right after a crash."""
    from homelab_mcp.workflow.recovery import Recovery

    return Recovery(applier(lab))
