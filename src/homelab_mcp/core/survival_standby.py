"""What a standby core gives where the lab's own machine is lost, or would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from homelab_mcp.core.access import routers_of
from homelab_mcp.core.host_routes import host_routes
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


def some_of(names: Sequence[str]) -> str:
    """The first of these, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def with_standby(lost: Failure, lab: LabView, settings: LabSettings, standbys: Sequence[StandbySeen]) -> Failure:
    """The loss of the lab's own machine, with what comes back by a standby; without one, what one would give."""
    stacks = core_stacks(lab, settings)
    elsewhere = [s.where for s in lab.services if s.host != LOCAL and s.where in lost.down and routers_of(s.labels)]
    if not stacks:
        return lost
    if not standbys:
        if not elsewhere:
            return lost
        told = some_of(elsewhere)
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
    led = _led(lab, elsewhere, one)
    for where in led:
        down[where] = f"it runs on, and its address is gone {back}"
    returns = tuple(where for where in down if where in {*one.services, *led})
    note = f"{lost.note} The standby on {one.host} has what its last sync brought"
    if one.behind:
        note += f"; changed since: {', '.join(one.behind)}"
    if one.changed:
        note += f"; files changed since: {some_of(one.changed)}"
    if left := [where for where in elsewhere if where not in led]:
        note += f"; it has no route yet to {some_of(left)}"
    return replace(
        lost,
        down=down,
        returns=returns,
        note=f"{note}. It is started by a person (`homelab-mcp host standby {one.host} --activate`, or there: "
        f"docker start {' '.join(one.names)}), who leads the addresses there too.",
    )


def _led(lab: LabView, elsewhere: Sequence[str], standby: StandbySeen) -> list[str]:
    """Those elsewhere that the last sync's routes lead to; all of them where nobody knows the routes."""
    if standby.routes is None:
        return list(elsewhere)
    keys = {(route.service.where, route.key) for route in host_routes(lab, {})}
    return [where for where in elsewhere if any(w == where and key in standby.routes for w, key in keys)]
