"""What a standby core gives where the lab's own machine is lost, or would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from homelab_mcp.core.access import routers_of
from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.core.standby import core_stacks
from homelab_mcp.model.lab import LOCAL, LabSettings
from homelab_mcp.model.standby import StandbySeen

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure and what it does.

    Args:
        what: the failure.
        survive: ``stack/service`` of those that go on or come back by themselves.
        down: those that do not, each with why.
        data_gone: of those, whose data no backup of the lab holds.
        note: what a person should know besides.
        unknown: those of which nobody here can tell, each with why.
        returns: of those that are down, the ones that come back once a person activates the standby core.
    """

    what: str
    survive: tuple[str, ...]
    down: Mapping[str, str]
    data_gone: tuple[str, ...] = ()
    note: str = ""
    unknown: Mapping[str, str] = field(default_factory=dict)
    returns: tuple[str, ...] = ()


def with_standby(lost: Failure, lab: LabView, settings: LabSettings, standbys: Sequence[StandbySeen]) -> Failure:
    """The loss of the lab's own machine, with what comes back by a standby; without one, what one would give."""
    stacks = core_stacks(lab, settings)
    elsewhere = [s.where for s in lab.services if s.host != LOCAL and s.where in lost.down and routers_of(s.labels)]
    if not stacks:
        return lost
    if not standbys:
        if not elsewhere:
            return lost
        more = f" and {len(elsewhere) - _SHOWN} more" if len(elsewhere) > _SHOWN else ""
        told = ", ".join(elsewhere[:_SHOWN]) + more
        return replace(
            lost,
            note=f"{lost.note} A standby core on another host (`homelab-mcp host standby HOST`) would give their "
            f"addresses back without a restore: {told}.",
        )
    one = max(standbys, key=lambda s: (len(s.services), -len(s.behind), s.host))
    back = f"until a person activates the standby on {one.host}"
    down = dict(lost.down)
    for where in one.services:
        if where in down:
            down[where] = f"it is gone {back}"
    for where in elsewhere:
        down[where] = f"it runs on, and its address is gone {back}"
    returns = tuple(where for where in down if where in {*one.services, *elsewhere})
    note = f"{lost.note} The standby on {one.host} has what its last sync brought"
    if one.behind:
        note += f"; changed since: {', '.join(one.behind)}"
    return replace(
        lost,
        down=down,
        returns=returns,
        note=f"{note}. It is started by a person (`homelab-mcp host standby {one.host} --activate`, or there: "
        f"docker start {' '.join(one.names)}), who leads the addresses there too.",
    )
