"""A standby core on another host: bring it there, start it, stop it."""

from __future__ import annotations

from homelab_mcp.core.access import routers_of
from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.core.standby import core_stacks, fixed_addresses, in_the_way, login_stacks, not_carried
from homelab_mcp.core.survival_standby import some_of
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL, LabSettings
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Risk, RiskReason
from homelab_mcp.model.standby import StandbySeen

_DNS = "Addresses lead to that machine only once DNS, the router's forwarding or a floating address does."


def sync_standby(
    lab: LabView, settings: LabSettings, host: str, there: StandbySeen | None, *, private: str = ""
) -> Draft:
    """A draft that brings the core's files to a host and makes its containers there, not started; or does so anew.

    Args:
        lab: the lab's services.
        settings: the lab's.
        host: where it is to be.
        there: the standby as it is; None where there is none.
        private: the host's address in the own network; "" where none is known.

    Raises InvalidInput (``no_core``, ``standby_refused``, ``standby_active``).
    """
    stacks = _core(lab, settings)
    if why := in_the_way(lab, stacks, host):
        raise InvalidInput(
            f"No standby there: {why}.",
            hint="Give it a host whose ports and names are free.",
            code="standby_refused",
        )
    if there and there.active:
        raise InvalidInput(
            f"The standby on {host} runs: {', '.join(there.active)}.",
            hint=f"Stop it first: `homelab-mcp host standby {host} --deactivate`.",
            code="standby_active",
        )
    told, login = ", ".join(stacks), login_stacks(lab, settings)
    among = f".env and certificates{' and the users of the log-in' if login else ''} among them"
    why = f"The files of {told}, {among}; containers made, not started."
    notes = [
        *not_carried(lab, stacks),
        "A sync brings what is there at that moment: run it again after changes of the core, and every few weeks for "
        "certificates.",
        f"What an activated standby changed in its own files is overwritten. {_DNS}",
    ]
    if settings.sso_middleware and not login:
        notes.append(
            f"The log-in is not among them, but where it is part of {told}: no label here defines "
            f"{settings.sso_middleware}, so nobody can tell which stack has it. Without it the standby lets nobody in."
        )
    if away := sorted({s.host for s in lab.services if s.host not in (LOCAL, host) and routers_of(s.labels)}):
        at = f"{host}'s address ({private})" if private else f"{host}'s address"
        notes.append(
            f"Where a firewall on {', '.join(away)} lets only this machine in at its services' ports, let {at} in too: "
            "the standby reaches them from there."
        )
    if addresses := fixed_addresses(lab, stacks):
        notes.append(f"It starts only where {host} has the address {', '.join(addresses)} by then.")
    return Draft(
        operation="sync_standby",
        summary=f"{'Sync the' if there else 'Make a'} standby of {told} on host {host}",
        edits=(),
        actions=(EngineAction(ActionKind.STANDBY_SYNC, why, services=stacks, name=host),),
        risks=(RiskReason(Risk.HIGH, f"Brings the core's secrets and private keys to host {host}."),),
        notes=tuple(notes),
        undo=f"On that machine remove its containers (`docker rm`) and the folder of {told}.",
        target=host,
    )


def activate_standby(
    lab: LabView, settings: LabSettings, host: str, there: StandbySeen | None, *, alive: bool
) -> Draft:
    """A draft that starts the standby.

    Args:
        lab: the lab's services.
        settings: the lab's.
        host: where it is.
        there: the standby as it is; None where there is none.
        alive: whether this machine's own Docker answers, and so perhaps the core itself runs.

    Raises InvalidInput (``no_core``, ``nothing_to_do``), NotFound (``standby_missing``).
    """
    stacks = _core(lab, settings)
    seen = _there(host, there)
    if set(seen.running) == set(seen.services):
        raise InvalidInput(f"The standby on {host} runs already.", code="nothing_to_do")
    notes = [_DNS, "It has what the last sync brought."]
    if seen.behind:
        notes.append(f"Changed here since the last sync: {', '.join(seen.behind)}.")
    if seen.changed:
        notes.append(f"Files changed here since the last sync: {some_of(seen.changed)}.")
    if addresses := fixed_addresses(lab, stacks):
        notes.append(f"It starts only where {host} has the address {', '.join(addresses)} now.")
    risks = []
    if seen.cut_off:
        told = f"The last sync of {', '.join(seen.cut_off)} was cut off: files of it there may be old, new or missing."
        risks.append(RiskReason(Risk.HIGH, told))
    if alive:
        both = "Docker on the lab's own machine answers: two cores then serve the same addresses, and ask for the same "
        risks.append(RiskReason(Risk.HIGH, f"{both}certificates."))
    return Draft(
        operation="activate_standby",
        summary=f"Start the standby of {', '.join(stacks)} on host {host}",
        edits=(),
        actions=(EngineAction(ActionKind.STANDBY_START, "It takes over.", services=stacks, name=host),),
        risks=tuple(risks),
        notes=tuple(notes),
        undo=f"homelab-mcp host standby {host} --deactivate",
        target=host,
    )


def deactivate_standby(lab: LabView, settings: LabSettings, host: str, there: StandbySeen | None) -> Draft:
    """A draft that stops the standby. Raises InvalidInput (``nothing_to_do``), NotFound (``standby_missing``)."""
    stacks, seen = _core(lab, settings), _there(host, there)
    if not seen.active:
        raise InvalidInput(f"The standby on {host} does not run.", code="nothing_to_do")
    notes = ["Lead the addresses back to the lab's own machine first."]
    if seen.behind:
        notes.append(
            f"Its containers are made anew by the compose file of today, beside the other files of the last sync: "
            f"{', '.join(seen.behind)} come out otherwise than they ran. A sync afterwards makes them fit."
        )
    return Draft(
        operation="deactivate_standby",
        summary=f"Stop the standby of {', '.join(stacks)} on host {host}",
        edits=(),
        actions=(EngineAction(ActionKind.STANDBY_STOP, "It stands ready again.", services=stacks, name=host),),
        notes=tuple(notes),
        undo=f"homelab-mcp host standby {host} --activate",
        target=host,
    )


def _core(lab: LabView, settings: LabSettings) -> tuple[str, ...]:
    stacks = core_stacks(lab, settings)
    if not stacks:
        raise InvalidInput(
            "This machine has no Traefik that Compose runs, so there is no core to stand in for.",
            hint="`homelab-mcp init --core` sets one up.",
            code="no_core",
        )
    return stacks


def _there(host: str, there: StandbySeen | None) -> StandbySeen:
    if there is None:
        raise NotFound(
            f"There is no standby on {host}.",
            hint=f"`homelab-mcp host standby {host}` plans one, while this machine's Docker answers.",
            code="standby_missing",
        )
    return there
