"""What a service needs on another host than the lab's own, so that this machine's Traefik leads to it, or asks it."""

from __future__ import annotations

from dataclasses import replace

from homelab_mcp.core import host_routes, lazy, lazy_hosts
from homelab_mcp.core.generator import Generated
from homelab_mcp.core.labels import labels_of, made_from
from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.core.published_ports import published
from homelab_mcp.core.route_labels import stream_ports
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot


def reached(generated: Generated, place: str, address: str, lab: LabView, snapshot: Snapshot) -> Generated:
    """What was generated, with its ports published on the host's private address where Traefik finds them.

    Args:
        generated: what a stack is to gain.
        place: the host it will be on; nothing changes for this machine, and for a host with a Traefik of its own.
        address: that host's private address; "" where none is known: then no route is served.
        lab: the lab's services.
        snapshot: what runs, for ports that are taken.
    """
    streams = any(True for s in generated.services.values() for _ in stream_ports(labels_of(s)))
    asked = {n: lazy.PORT for n, s in generated.services.items() if made_from(labels_of(s)) == lazy.SABLIER}
    if place == LOCAL or not (generated.urls or streams or asked):
        return generated
    if host_routes.has_own_traefik(lab, place):
        if asked:
            return generated
        note = f"Its route is served by the Traefik of {place}, and is not checked from here."
        return replace(generated, route=None, notes=(*generated.notes, note))
    if not address:
        note = (
            f"{'Traefik cannot ask it' if asked else 'No route leads to it'}: host {place} has no private address that "
            "Traefik could reach it at. Say it first: "
            f"`homelab-mcp host add {place} ADDRESS --private 192.168.1.20`."
        )
        return replace(generated, route=None, notes=(*generated.notes, note))
    taken = {port for s in lab.on(place).services for port, _ in s.published()}
    taken |= {p.host_port for c in snapshot.every_container if c.host == place for p in c.ports}
    services = published(generated.services, address, taken, asked)
    if asked:
        return replace(generated, services=services, notes=(*generated.notes, lazy_hosts.exposed(place, address)))
    if host_routes.core_folder(lab):
        note = (
            f"Traefik reaches it at {address}. Whoever reaches that address passes without log-in: let only this "
            "machine in there (a firewall), or use an address of a VPN between the two."
        )
        return replace(generated, services=services, notes=(*generated.notes, note))
    note = (
        "No route leads to it yet: this machine has no Traefik with a folder of files (providers.file.directory) in "
        f"its stack. Its port is published on {address} for one."
    )
    return replace(generated, services=services, route=None, notes=(*generated.notes, note))
