"""Moving a service behind a VPN gateway of its file and back, as edits of the compose text.

Behind a gateway a service has no network of its own, so what belongs to one moves to the gateway: published ports,
networks, and Traefik's labels, since Traefik finds a container by its network. Other services find it by the gateway's
network under its old names, which the gateway takes as aliases. What was moved is noted in the service, under
``x-homelab-vpn``: files are the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.compose_meaning import RECORD as ADDED
from homelab_mcp.core.compose_meaning import names_in, read, record_of, services_of
from homelab_mcp.core.labels import COMPANION_OF, labels_of
from homelab_mcp.core.network_sharers import sharers_of
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.vpn import OWN_PORTS, RECORD, TAKEN_AWAY
from homelab_mcp.model.errors import InvalidInput

_SHARED = ("traefik.enable", "traefik.docker.network")
"""Labels about the whole container, which every route on it has in common."""


@dataclass(frozen=True, slots=True)
class Left:
    """A text without the service behind its gateway; ``ports`` says whether published ports came back."""

    text: str
    ports: bool


def join(text: str, service: str, gateway: str, port: int | None) -> str:
    """The text with the service behind the gateway.

    Args:
        text: the compose file; both are in it.
        service: who moves.
        gateway: behind whom.
        port: what it listens on, for a route that does not say so itself.

    Raises:
        InvalidInput: ``route_clash``, ``network_differs``, ``port_unknown``.
        EditRefused: the file cannot be changed alone.
    """
    edit = ServiceEdit(text, service)
    data = edit.data
    routing = {k: v for k, v in labels_of(data).items() if k.lower().startswith("traefik.")}
    added = _explicit(service, routing, port)
    home = ServiceEdit(text, gateway)
    _check_labels(service, home, {**routing, **added})
    before = {key: data[key] for key in TAKEN_AWAY if key in data}
    edit = ServiceEdit(home.text, service)
    for key in before:
        edit.remove(key)
    for key in routing:
        edit.remove_entry("labels", key)
    edit.set("network_mode", f"service:{gateway}")
    edit.add_name("depends_on", gateway, {"condition": "service_healthy", "restart": True})
    note: dict[str, Any] = {"gateway": gateway}
    if before:
        note["before"] = before
    if routing:
        note["labels"] = list(routing)
    if added:
        note["added"] = list(added)
    home = ServiceEdit(edit.text, gateway)
    mine = names_in(before.get("networks")) or ["default"]
    there = home.names("networks") or ["default"]
    joined = [n for n in mine if n not in there]
    if joined:
        note["joined"] = joined
    names = list(dict.fromkeys([service, str(data.get("container_name") or service)]))
    for item in data.get("ports") or ():
        home.add_item("ports", item)
    for network in dict.fromkeys([*there, *joined] if not home.names("networks") else joined):
        home.add_name("networks", network, {})
    for network in mine:
        _alias(home, network, names)
    for key, value in {**routing, **added}.items():
        home.set_entry("labels", key, value)
    return ServiceEdit(home.text, service).set((RECORD,), note).text


def leave(text: str, service: str, gateway: str) -> Left:
    """The text with the service on a network of its own again, as before :func:`join` as far as that is noted.

    One that was made behind the gateway takes what is the gateway's alone by its doing: all of it where nobody else is
    behind the gateway, else the labels that carry its name.
    """
    services = services_of(read(text))
    others = [n for n in sharers_of(services, gateway) if n != service]
    edit = ServiceEdit(text, service)
    note = edit.get((RECORD,))
    noted: Mapping[str, Any] = note if isinstance(note, Mapping) else _guessed(services, service, gateway, others)
    home = ServiceEdit(text, gateway)
    held = home.entries("labels")
    back = {k: held.get(k) or "" for k in noted.get("labels", ()) if k in held}
    before: dict[str, Any] = dict(noted.get("before") or {})
    for key in [*back, *noted.get("added", ())]:
        if key not in _SHARED or not _still_routes(home, others, {*back, *noted.get("added", ())}):
            home.remove_entry("labels", key)
    published = list(before.get("ports") or ())
    home.remove_items("ports", lambda item: item in published)
    names = {service, str(edit.get("container_name") or service)}
    _unalias(home, names)
    heirs = {network: _heir(services, others, network) for network in noted.get("joined", ())}
    for network in (n for n, heir in heirs.items() if not heir):
        home.remove_name("networks", network)
    if others and home.entries("labels").get(COMPANION_OF) == service:
        home.set_entry("labels", COMPANION_OF, others[0])
    text = home.text
    for network, heir in heirs.items():
        if heir:
            text = ServiceEdit(text, heir).add_item((RECORD, "joined"), network).text
    edit = ServiceEdit(text, service)
    edit.remove((RECORD,)).remove_name("depends_on", gateway)
    if "network_mode" in before:
        edit.set("network_mode", before.pop("network_mode"))
    else:
        edit.remove("network_mode")
    for key, value in before.items():
        edit.set(key, value)
    for key, value in back.items():
        edit.set_entry("labels", key, value)
    return Left(edit.text, bool(before.get("ports")))


def inherit(text: str, service: str, gateway: str) -> str:
    """The text in which the service's note of what came with it has what only the gateway's has.

    For the gateway's removal, which takes out what its own note lists and nobody else's: networks that the service now
    uses itself, and Dockge's address of its route.
    """
    services = services_of(read(text))
    known = {t for n, s in services.items() if n != gateway for t in record_of(s)}
    edit = ServiceEdit(text, service)
    for token in record_of(services.get(gateway)):
        kind = token.partition(":")[0]
        if token not in known and kind in {"networks", "url", "section"}:
            edit.add_item((ADDED,), token)
    return edit.text


def _explicit(service: str, routing: Mapping[str, str], port: int | None) -> dict[str, str]:
    """What its routes leave to Traefik while they are alone on their container: the service behind each router."""
    added: dict[str, str] = {}
    routers = dict.fromkeys(k.split(".")[3] for k in routing if k.lower().startswith("traefik.http.routers."))
    servers = list(dict.fromkeys(k.split(".")[3] for k in routing if k.lower().startswith("traefik.http.services.")))
    if not routers:
        return added
    has_port = any(k.lower().endswith(".loadbalancer.server.port") for k in routing)
    if not servers or not has_port:
        if port is None:
            raise InvalidInput(
                f"{service}'s route does not say on which port it listens, and Traefik cannot guess it on the gateway.",
                hint="Give it the label traefik.http.services.NAME.loadbalancer.server.port.",
                code="port_unknown",
            )
        servers = servers or [service]
        added[f"traefik.http.services.{servers[0]}.loadbalancer.server.port"] = str(port)
    for router in routers:
        key = f"traefik.http.routers.{router}.service"
        if key not in routing and len(servers) == 1:
            added[key] = servers[0]
    return added


def _check_labels(service: str, home: ServiceEdit, moving: Mapping[str, str]) -> None:
    there = home.entries("labels")
    for key, value in moving.items():
        if key in there and key in _SHARED and there[key] != value:
            raise InvalidInput(
                f"{service} has {key}={value}, the gateway {there[key]}.",
                hint="Give both the same network for Traefik.",
                code="network_differs",
            )
    taken = {".".join(k.split(".")[:4]).lower() for k in there if k.lower().startswith("traefik.http.")}
    for key in moving:
        name = ".".join(key.split(".")[:4])
        if name.lower() in taken:
            raise InvalidInput(
                f"The gateway has {name} already, for another service behind it.",
                hint="Give the service's router and Traefik service names of their own.",
                code="route_clash",
            )


def _alias(home: ServiceEdit, network: str, names: Sequence[str]) -> None:
    detail = home.get(("networks", network))
    options = dict(detail) if isinstance(detail, Mapping) else {}
    known = [str(a) for a in options.get("aliases") or ()]
    home.add_name("networks", network, {**options, "aliases": [*known, *(n for n in names if n not in known)]})


def _unalias(home: ServiceEdit, names: set[str]) -> None:
    """Takes the aliases out; a mapping of networks without one option left is written as a list again."""
    networks = home.get("networks")
    if not isinstance(networks, Mapping):
        return
    for network, detail in networks.items():
        if isinstance(detail, Mapping) and detail.get("aliases"):
            rest = [a for a in detail["aliases"] if a not in names]
            kept = {k: v for k, v in detail.items() if k != "aliases"} | ({"aliases": rest} if rest else {})
            if kept != detail:
                home.set(("networks", network), kept)
    now = home.get("networks")
    if isinstance(now, Mapping) and not any(now.values()):
        if list(now) == ["default"]:
            home.remove("networks")
        else:
            home.set("networks", list(now))


def _heir(services: Mapping[str, Any], others: Sequence[str], network: str) -> str:
    """Who else behind the gateway came from that network, "" for nobody: the gateway then stays on it for them."""
    for name in others:
        note = services[name].get(RECORD)
        before = note.get("before") if isinstance(note, Mapping) else None
        if isinstance(before, Mapping) and network in (names_in(before.get("networks")) or ["default"]):
            return name
    return ""


def _still_routes(home: ServiceEdit, others: Sequence[str], going: set[str]) -> bool:
    """Whether a route of somebody else stays on the gateway."""
    left = [k for k in home.entries("labels") if k.lower().startswith("traefik.http.routers.") and k not in going]
    return bool(others) and bool(left)


def _guessed(services: Mapping[str, Any], service: str, gateway: str, others: Sequence[str]) -> dict[str, Any]:
    """What a service that was made behind the gateway has there."""
    home = services[gateway]
    labels = [k for k in labels_of(home) if k.lower().startswith("traefik.")]
    ports = [p for p in home.get("ports") or () if _inner(p) not in OWN_PORTS]
    before: dict[str, Any] = {"networks": names_in(home.get("networks"))} if home.get("networks") else {}
    if others:
        labels = [k for k in labels if k in _SHARED or _named(k, service)]
        ports = []
    if ports:
        before["ports"] = ports
    return {"before": before, "labels": labels}


def _named(key: str, service: str) -> bool:
    name = key.split(".")[3] if key.count(".") > 3 else ""
    return name == service or name.startswith(f"{service}-")


def _inner(port: Any) -> int:
    text = str(port.get("target", "")) if isinstance(port, Mapping) else str(port)
    inner = text.partition("/")[0].rpartition(":")[2]
    return int(inner) if inner.isdigit() else 0
