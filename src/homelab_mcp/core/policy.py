"""Policy: how much a draft can hurt, and whose yes it then needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.plan import ActionKind, ApprovalKind, Draft, Risk, RiskReason

PLAN_LIFE = 900.0
"""Seconds from making a plan to its end; an approval does not lengthen it."""

_BOTH = frozenset({ApprovalKind.CLIENT_DIALOG, ApprovalKind.OUT_OF_BAND})


@dataclass(frozen=True, slots=True)
class Policy:
    """Which kinds of approval count for which risk. No risk can be left without any."""

    accepts: Mapping[Risk, frozenset[ApprovalKind]] = field(
        default_factory=lambda: MappingProxyType(
            {Risk.LOW: _BOTH, Risk.MEDIUM: _BOTH, Risk.HIGH: frozenset({ApprovalKind.OUT_OF_BAND})}
        )
    )
    plan_life: float = PLAN_LIFE

    def accepts_kind(self, risk: Risk, kind: ApprovalKind) -> bool:
        """Whether this kind of approval counts for this risk; an unknown risk accepts none."""
        return kind in self.accepts.get(risk, frozenset())

    def required(self, risk: Risk) -> tuple[str, ...]:
        """The kinds that count, as sorted words."""
        return tuple(sorted(str(k) for k in self.accepts.get(risk, frozenset())))


DEFAULT_POLICY = Policy()


def assess(draft: Draft) -> tuple[Risk, tuple[str, ...]]:
    """The draft's risk and its reasons, worst first.

    The operation's own reasons count, and a floor that no operation can talk down: what the edits and actions
    are by themselves.
    """
    found = [*draft.risks, *_floor(draft)]
    risk = max((r.risk for r in found), default=Risk.LOW)
    ordered = sorted(found, key=lambda r: -r.risk)
    return risk, tuple(dict.fromkeys(r.reason for r in ordered))


def _floor(draft: Draft) -> list[RiskReason]:
    found = []
    deleted = [e.path for e in draft.edits if e.after is None and e.before is not None]
    secret_gone = [e.path for e in draft.edits if e.path in deleted and e.secret]
    if secret_gone:
        found.append(RiskReason(Risk.HIGH, f"Deletes {', '.join(secret_gone)}, which holds secrets."))
    if any(e.path == SETTINGS_FILE and e.before is not None for e in draft.edits):
        found.append(RiskReason(Risk.HIGH, "Changes the settings that every stack shares."))
    if deleted:
        found.append(RiskReason(Risk.MEDIUM, f"Deletes {', '.join(deleted)}."))
    elif draft.edits:
        found.append(RiskReason(Risk.MEDIUM, "Changes files of the lab."))
    if any(a.kind is ActionKind.REMOVE for a in draft.actions):
        found.append(RiskReason(Risk.MEDIUM, "Removes containers (volumes stay)."))
    if any(a.kind is ActionKind.UP for a in draft.actions):
        found.append(RiskReason(Risk.MEDIUM, "Starts or recreates containers."))
    if any(a.kind is ActionKind.RESTART for a in draft.actions):
        found.append(RiskReason(Risk.LOW, "Interrupts a service for a moment."))
    return found
