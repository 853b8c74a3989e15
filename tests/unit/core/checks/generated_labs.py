"""Compose files as the generator writes them from the catalog: over options and settings, alone and together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations, pairwise
from typing import Any

from homelab_mcp.core.checks import LintStack
from homelab_mcp.core.compose_edit import add_services, new_document
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.lab import Acme, LabSettings
from tests.unit.core.checks.corpus_reader import Case
from tests.unit.core.operation_parts import SETTINGS
from tests.unit.core.test_generator import REAL, asked_for, make

PROVING = (
    *("authelia", "dockge", "dozzle", "gluetun", "grafana", "homepage", "jellyfin"),
    *("nextcloud", "prometheus", "qbittorrent", "traefik", "uptime-kuma", "whoami"),
)
"""Of every kind one: these are tried over all options and in all pairs, the others once and beside one neighbour."""

Part = tuple[ServiceDefinition, LabSettings, dict[str, Any]]
KNOWN = {"DUCKDNS_TOKEN": "duck-token-1", "VPN_SERVICE_PROVIDER": "mullvad"}
OTHER_SETTINGS = LabSettings(
    domain="home.example.net",
    email="me@example.net",
    timezone="America/Sao_Paulo",
    puid=501,
    pgid=20,
    media_dir="/volume1/media",
    downloads_dir="/volume1/downloads",
    bind_address="192.168.1.2",
    http_port=8080,
    https_port=8443,
    acme=Acme(),
    route_network="proxy",
    internal_network="inside",
    sso_middleware="door@docker",
)


def _options(what: ServiceDefinition) -> Iterator[tuple[str, LabSettings, dict[str, Any]]]:
    yield "as it is", SETTINGS, {}
    yield "in another lab", OTHER_SETTINGS, {}
    if what.id not in PROVING:
        return
    yield "another name", SETTINGS, {"name": "mine-2"}
    yield "another tag", SETTINGS, {"tag": "9.9.9-rc.1"}
    if what.route:
        yield "another address", SETTINGS, {"subdomain": "elsewhere"}
        if what.route.sso.policy != "portal":
            yield "log-in asked for", SETTINGS, {"sso": "protect"}
        yield "log-in bypassed", OTHER_SETTINGS, {"sso": "bypass", "sso_reason": "It has its own."}
    if what.vpn.use != "no":
        yield "through the VPN", SETTINGS, {"vpn": True}
        yield "not through the VPN", SETTINGS, {"vpn": False}


@cache
def generated() -> list[Case]:
    """Definitions over their options, and pairs of definitions in one stack."""
    cases = [
        _case(f"{name}, {title}", [(what, settings, options)])
        for name, what in REAL.items()
        for title, settings, options in _options(what)
    ]
    others = [name for name in REAL if name not in PROVING]
    for first, second in (*combinations(PROVING, 2), *pairwise(others)):
        if _published(REAL[first]) & _published(REAL[second]):
            # add_service refuses the second one (port_taken), so that no such file is ever written.
            continue
        both: list[Part] = [(REAL[first], SETTINGS, {}), (REAL[second], SETTINGS, {})]
        cases.append(_case(f"{first} and {second} in one stack", both))
    # What an option leaves as it was counts once.
    return list({case.stacks[0].text: case for case in reversed(cases)}.values())[::-1]


def _published(what: ServiceDefinition) -> set[tuple[int, str]]:
    return {(port.publish, port.protocol) for port in what.container.ports if port.publish}


def _case(title: str, parts: list[Part]) -> Case:
    text, env = "", dict(KNOWN)
    for what, settings, options in parts:
        env = {**asked_for(what), **env}
        made = make(what, settings, env=env, **options)
        if any(name in text for name in (f"\n  {service}:" for service in made.services)):
            continue
        writes = add_services if text else lambda _, *a, **k: new_document(*a, **k)
        text = writes(text, made.services, networks=made.networks, urls=made.urls)
        env |= made.env
    return Case(title, (LintStack("s0", "s0/compose.yaml", text, env),), ())
