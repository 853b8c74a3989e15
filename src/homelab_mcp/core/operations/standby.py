"""A standby core on another host: bring it there, start it, stop it."""

from __future__ import annotations

from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.core.standby import core_stacks, fixed_addresses, in_the_way, not_carried
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Risk, RiskReason
from homelab_mcp.model.standby import StandbySeen

_DNS = "Addresses lead to that machine only once DNS, the router's forwarding or a floating address does."


def sync_standby(lab: LabView, settings: LabSettings, host: str, there: StandbySeen | None) -> Draft:
    """A draft that brings the core's files to a host and makes its containers there, not started; or does so anew.

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
    told = ", ".join(stacks)
    why = f"The files of {told}, its .env, certificates and log-in's users among them; containers made, not started."
    notes = [
        *not_carried(lab, stacks),
        "A sync brings what is there at that moment: run it again after changes of the core, and every few weeks for "
        "certificates.",
        f"What an activated standby changed in its own files is overwritten. {_DNS}",
    ]
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
    if addresses := fixed_addresses(lab, stacks):
        notes.append(f"It starts only where {host} has the address {', '.join(addresses)} now.")
    risks = []
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
    stacks = _core(lab, settings)
    if not _there(host, there).active:
        raise InvalidInput(f"The standby on {host} does not run.", code="nothing_to_do")
    return Draft(
        operation="deactivate_standby",
        summary=f"Stop the standby of {', '.join(stacks)} on host {host}",
        edits=(),
        actions=(EngineAction(ActionKind.STANDBY_STOP, "It stands ready again.", services=stacks, name=host),),
        notes=("Lead the addresses back to the lab's own machine first.",),
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
