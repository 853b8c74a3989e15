"""Tells, while a plan is made, of a backup at work that it would end: the run dies with its container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from homelab_mcp.core.at_once import at_once
from homelab_mcp.core.backup_config import ENGINE_LABEL
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import ContainerState, Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, Risk, RiskReason
from homelab_mcp.ports import Lab

ASK_SECONDS = 5.0
_ENDING = (ActionKind.UP, ActionKind.RECREATE, ActionKind.REMOVE, ActionKind.RESTART, ActionKind.STOP)


def with_ended_backups(lab: Lab, draft: Draft, snapshot: Snapshot) -> Draft:
    """The draft, with a risk for each backup at work that it ends. A host that does not answer soon is left out."""
    ended = [c for c in snapshot.containers or () if _ends(draft, c)]
    if not ended or lab.files_only:
        return draft

    def ask(host: str) -> Callable[[], bool]:
        status = lab.restic_at(host)
        return lambda: "WORKS backup" in status.read(["status"], seconds=ASK_SECONDS).splitlines()

    found = at_once({c.host or LOCAL: ask(c.host or LOCAL) for c in ended}, ASK_SECONDS)
    risks = [
        RiskReason(
            Risk.MEDIUM,
            f"A backup is at work{f' on {c.host}' if c.host else ''} and ends without one, as {c.service} is made anew "
            "or stopped: wait until it has ended, or make one after this plan.",
        )
        for c in ended
        if found[c.host or LOCAL] is True
    ]
    return replace(draft, risks=(*draft.risks, *risks)) if risks else draft


def _ends(draft: Draft, one: ContainerState) -> bool:
    return (
        one.state == "running"
        and one.labels.get(ENGINE_LABEL) == "engine"
        and any(
            a.kind in _ENDING and a.stack == one.stack and (not a.services or one.service in a.services)
            for a in draft.actions
        )
    )
