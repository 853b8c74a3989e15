"""TCP and UDP routes of services on other hosts and in Swarm, as Traefik's file says them.

As for HTTP the labels stay the truth. A plain connection names no host: only TLS does, in the clear, as SNI (RFC 6066).
So without TLS there is one service an entry point, and what would take the connections of others is not written.

Facts: Traefik's reference, TCP and UDP "Router" and "Service" of the file provider (v3): a TCP router without entry
points is on all of them, and goes before the HTTP routers there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from homelab_mcp.core.host_routes import has_own_traefik
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.project_name import folder_project
from homelab_mcp.core.published_ports import bracketed, published_at
from homelab_mcp.core.route_labels import KINDS, PORT, STREAM_LABEL, TRANSPORT, listed
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.model.lab import LOCAL

_SNI = re.compile(r"\bHostSNI(?:Regexp)?\(([^)]*)\)")
_WEB = frozenset({"web", "websecure"})


@dataclass(frozen=True, slots=True)
class StreamRoute:
    """One TCP or UDP router of a service that this machine's Traefik does not see by itself.

    Args:
        kind: ``tcp`` or ``udp``.
        key: its name in Traefik's file.
        service: whose it is.
        points: entry points that it names.
        router: as the file has it.
        address: ``host:port`` where it is reached; "" where it cannot be.
        why: why it is not served.
        server: what the file says of the way there besides.
        balancer: and of the load balancer.
    """

    kind: str
    key: str
    service: Known
    points: tuple[str, ...]
    router: Mapping[str, Any]
    address: str
    why: str = ""
    server: Mapping[str, Any] = field(default_factory=dict)
    balancer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def catches_all(self) -> bool:
        """Whether it takes whatever comes to its entry points: UDP does, and TCP where no name is asked for."""
        names = "".join(_SNI.findall(str(self.router.get("rule", ""))))
        return self.kind == "udp" or not names or "`*`" in names


def stream_routes(lab: LabView, addresses: Mapping[str, str]) -> list[StreamRoute]:
    """Every TCP and UDP route of services elsewhere; of two that nothing tells apart the first by name is served.

    Args:
        lab: the lab's services.
        addresses: private address by host; "" or missing where none is known.
    """
    away = {s.host for s in lab.services if s.host != LOCAL and not has_own_traefik(lab, s.host)}
    mine: list[StreamRoute] = []
    taken: dict[tuple[str, str], str] = {}
    for service in lab.services:
        elsewhere = service.host in away or service.engine == SWARM
        found = list(_of_service(service, addresses.get(service.host, "")))
        if elsewhere:
            mine += found
        elif service.host == LOCAL:
            # What is beside Traefik is served by its labels, whatever the file says.
            taken |= {(r.kind, point): service.where for r in found if r.catches_all for point in r.points}
    if not mine:
        return []
    websites = _WEB | {p for s in lab.services for p in _http_points(s)}
    served: list[StreamRoute] = []
    for route in sorted(mine, key=lambda r: (r.kind, r.key)):
        why = route.why or _mixed_up(route, websites, taken)
        served.append(replace(route, address="" if why else route.address, why=why))
        if not why and route.catches_all:
            taken |= {(route.kind, point): route.service.where for point in route.points}
    return served


def sections(routes: Collection[StreamRoute]) -> dict[str, dict[str, Any]]:
    """``tcp`` and ``udp`` of Traefik's file, of the routes that lead somewhere."""
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        if good := [r for r in routes if r.kind == kind and r.address]:
            found[kind] = {
                "routers": {r.key: {**r.router, "service": r.key} for r in good},
                "services": {
                    r.key: {"loadBalancer": {"servers": [{"address": r.address, **r.server}], **r.balancer}}
                    for r in good
                },
            }
    return found


def _of_service(service: Known, address: str) -> Iterator[StreamRoute]:
    labels = service.labels
    if labels.get("traefik.enable", "").lower() != "true":
        return
    parts: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for key, value in labels.items():
        if found := STREAM_LABEL.match(key):
            section = parts.setdefault((found[1].lower(), found[2].lower()), {})
            section.setdefault(found[3], {})[found[4].lower()] = value
    for kind in KINDS:
        services = parts.get((kind, "services"), {})
        for name, options in parts.get((kind, "routers"), {}).items():
            wanted = options.get("service", "")
            balancer = services.get(wanted, {}) if wanted else next(iter(services.values()), {})
            place = SWARM if service.engine == SWARM else service.host
            at, why = _address(service, kind, balancer.get(PORT, ""), address)
            transport = balancer.get(TRANSPORT, "")
            told = transport if "@" in transport or not transport else f"{transport}@file"
            yield StreamRoute(
                kind,
                f"{place}-{service.stack}-{name}",
                service,
                tuple(listed(options.get("entrypoints", ""))),
                _router(options),
                at,
                why or (_unnamed(options) if kind == "tcp" else ""),
                {"tls": True} if balancer.get("loadbalancer.server.tls", "").lower() == "true" else {},
                {"serversTransport": told} if told else {},
            )


def _router(options: Mapping[str, str]) -> dict[str, Any]:
    router: dict[str, Any] = {"rule": options["rule"]} if options.get("rule") else {}
    if points := listed(options.get("entrypoints", "")):
        router["entryPoints"] = points
    if middlewares := listed(options.get("middlewares", "")):
        router["middlewares"] = [m if "@" in m else f"{m}@docker" for m in middlewares]
    if options.get("priority", "").isdigit():
        router["priority"] = int(options["priority"])
    if _secure(options):
        chosen = options.get("tls.options", "")
        given: dict[str, Any] = {
            "passthrough": options.get("tls.passthrough", "").lower() == "true",
            "certResolver": options.get("tls.certresolver", ""),
            "options": chosen if "@" in chosen or not chosen else f"{chosen}@docker",
        }
        router["tls"] = {k: v for k, v in given.items() if v}
    return router


def _secure(options: Mapping[str, str]) -> bool:
    return options.get("tls", "").lower() == "true" or any(k.startswith("tls.") for k in options)


def _unnamed(options: Mapping[str, str]) -> str:
    """Why a TCP router takes nothing, by its rule alone."""
    rule = options.get("rule", "")
    names = "".join(_SNI.findall(rule))
    if not rule:
        return f"its TCP router has no rule; {_own('tcp')}"
    if names and "`*`" not in names and not _secure(options):
        return f"a client names the host only when it opens TLS: give the router tls, or {_own('tcp')}"
    return ""


def _mixed_up(route: StreamRoute, websites: Collection[str], taken: Mapping[tuple[str, str], str]) -> str:
    """Whose connections it would take besides; "" where it takes its own alone."""
    if not route.catches_all:
        return ""
    if not route.points:
        return f"it names no entry point, so it would take what comes to any of them: {_own(route.kind)}"
    for point in route.points:
        if route.kind == "tcp" and point in websites:
            return f"it would take every connection of entry point {point}, where websites are: {_own(route.kind)}"
        if other := taken.get((route.kind, point)):
            return f"entry point {point} leads to {other} already, and nothing tells the two apart: {_own(route.kind)}"
    return ""


def _own(kind: str) -> str:
    """What a person can do where nothing in a connection says whose it is."""
    port, rule = ("PORT/udp", "") if kind == "udp" else ("PORT", " and the rule HostSNI(`*`)")
    return f"give it an entry point of its own (`--entrypoints.NAME.address=:{port}`, published by Traefik){rule}"


def _address(service: Known, kind: str, port: str, address: str) -> tuple[str, str]:
    """Where the service is reached, or why it is not."""
    if not port.isdigit():
        return "", f"its labels do not say which port of the container is meant (traefik.{kind}.services: {PORT})"
    if service.engine == SWARM:
        return f"tasks.{folder_project(service.stack)}_{service.name}:{port}", ""
    if not address:
        return "", f"no private address of host {service.host} is known"
    at = int(port)
    if service.data.get("network_mode") != "host":
        at = published_at(service.data.get("ports"), service.env, at, address, kind)
    if not at:
        return "", f"{kind.upper()} port {port} of the container is not published on {address}"
    return f"{bracketed(address)}:{at}", ""


def _http_points(service: Known) -> Iterator[str]:
    for key, value in service.labels.items():
        lower = key.lower()
        if lower.startswith("traefik.http.routers.") and lower.endswith(".entrypoints"):
            yield from listed(value)
