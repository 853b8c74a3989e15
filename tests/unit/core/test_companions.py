"""A companion carries its owner's ``homelab.service``: nothing may take it for another one of its owner."""

from __future__ import annotations

from typing import Any

from homelab_mcp.core.labels import made_from
from homelab_mcp.core.lazy_needs import definition_of
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.update_service import _definition
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.observed import Snapshot, StackFiles
from tests.unit.core.operation_parts import definition

CORE = """\
services:
  socket: {image: lscr.io/linuxserver/socket-proxy:3, labels: {homelab.service: traefik, homelab.companion-of: traefik}}
  traefik: {image: traefik:v3.7.13, labels: {homelab.service: traefik}}
  vpn: {image: example/vpn:1.2.3, labels: {homelab.service: vpn, homelab.companion-of: web}}
"""


def lab() -> LabView:
    return view(Snapshot((StackFiles("core", "core/compose.yaml", CORE, ""),), None))


def find(name: str) -> ServiceDefinition:
    if name not in ("traefik", "vpn"):
        raise NotFound("no such definition")
    return definition(
        name, container={"image": {"repository": "traefik" if name == "traefik" else "example/vpn", "tag": "1"}}
    )


def test_traefik_is_traefik_also_where_its_socket_s_proxy_stands_first() -> None:
    found = lab().made_from("traefik")
    assert found is not None
    assert found.name == "traefik"


def test_a_companion_is_made_from_nothing_and_a_gateway_is_what_its_image_is() -> None:
    services: dict[str, Any] = load(CORE)["services"]
    assert [made_from(s["labels"]) for s in services.values()] == ["", "traefik", ""]
    kinds = [definition_of(known, find) for known in lab().services]
    assert [k.id if k else "" for k in kinds] == ["", "traefik", "vpn"]
    changed = [_definition(s, find) for s in services.values()]
    assert [k.id if k else "" for k in changed] == ["", "traefik", "vpn"]
