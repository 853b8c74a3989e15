"""From a person's wish for a standby core to a stored plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.stack_host import refuse_silent, require
from homelab_mcp.core.standby import core_stacks
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.model.standby import StandbySeen
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of

WISHES = ("sync", "activate", "deactivate")


def propose_standby(lab: Lab, host: str, requester: Requester, wish: str = "sync") -> Plan:
    """A plan that makes a standby on a host or brings it up to date, starts it, or stops it.

    This machine's Docker need not answer to start one. Raises InvalidInput, NotFound, EngineUnavailable.
    """
    from homelab_mcp.core.operations.standby import activate_standby, deactivate_standby, sync_standby

    if wish not in WISHES:
        raise InvalidInput(f"{wish[:20]!r} is nothing that is done to a standby.", hint=f"Use {', '.join(WISHES)}.")
    if host == LOCAL:
        raise InvalidInput("A standby is on another machine than this.", code="standby_refused")
    hosts = lab.hosts.settings.hosts
    require(host, hosts)
    if hosts[host].kind == "unix":
        raise InvalidInput(f"Host {host} is an engine of this machine, and is lost with it.", code="standby_refused")
    if lab.files_only:
        raise InvalidInput("A standby needs Docker, which is left out here.", code="plan_needs_docker")
    look = lab.hosts.look(host)
    if look.error:
        refuse_silent({host: look.error}, {host})
    snapshot = planner(lab).snapshot(containers=True)
    known, settings = view(snapshot), lab.settings
    there = _seen(lab, core_stacks(known, settings), host)
    alive = not lab.hosts.look(LOCAL).error
    if wish == "activate":
        draft = activate_standby(known, settings, host, there, alive=alive)
    elif wish == "deactivate":
        draft = deactivate_standby(known, settings, host, there)
    else:
        if not alive:
            refuse_silent({LOCAL: "Docker on this machine does not answer, and reads the files."}, {LOCAL})
        draft = sync_standby(known, settings, host, there, private=hosts[host].routes_to)
    draft = replace(draft, notes=(f"Host {host} is {hosts[host].address}.", *draft.notes))
    return plan_of(lab, draft, snapshot, requester)


def _seen(lab: Lab, stacks: Sequence[str], host: str) -> StandbySeen | None:
    """The standby there; None only where it was looked at and there is none. Raises what the port raises."""
    for again in (True, False):
        there = next((one for one in lab.standby.seen(stacks) if one.host == host), None)
        if there is not None or not again:
            break
        # A host whose Docker answers too late is left out by that look; this one says why.
        lab.standby.active(host, stacks)
    return there
