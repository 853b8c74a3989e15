"""What a service has on a VPN gateway that stays goes with the service: its route, ports and names."""

from __future__ import annotations

from dataclasses import replace

from homelab_mcp.core import vpn, vpn_move
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.labels import COMPANION_OF, labels_of
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Verification


def before_removal(snapshot: Snapshot, stack: str, service: str) -> tuple[Snapshot, str]:
    """The lab with the service off the gateway that it shares with others, and that gateway's name ("": none).

    A gateway that was made for this service alone goes with it, so nothing need be taken off it.
    """
    lab = view(snapshot)
    known = next((s for s in lab.services if (s.stack, s.name) == (stack, service)), None)
    gateway = vpn.gateway_of(known, lab) if known else None
    files = snapshot.stack(stack)
    if gateway is None or files is None:
        return snapshot, ""
    try:
        services = services_of(read(files.compose_text))
        others = [n for n in vpn.clients(services, gateway.name) if n != service]
        if not others and labels_of(gateway.data).get(COMPANION_OF) == service:
            return snapshot, ""
        text = vpn_move.leave(files.compose_text, service, gateway.name).text
    except HomelabError:
        return snapshot, ""
    stacks = tuple(replace(s, compose_text=text) if s.name == stack else s for s in snapshot.stacks)
    return replace(snapshot, stacks=stacks), gateway.name


def removed_from(draft: Draft, snapshot: Snapshot, stack: str, gateway: str) -> Draft:
    """A removal that was planned on :func:`before_removal`'s lab, as one on the lab as it is."""
    if not gateway:
        return draft
    texts = {s.compose_path: s.compose_text for s in snapshot.stacks}
    why = "It carries the service's route no more."
    return replace(
        draft,
        edits=tuple(replace(e, before=texts.get(e.path, e.before)) for e in draft.edits),
        actions=(*draft.actions, EngineAction(ActionKind.UP, why, stack, (gateway,))),
        also_verify=(*draft.also_verify, Verification(stack, (gateway,))),
    )
