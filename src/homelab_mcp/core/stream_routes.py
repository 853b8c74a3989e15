"""TCP and UDP routes of services on other hosts and in Swarm, as Traefik's file says them.

As for HTTP the labels stay the truth. A plain connection names no host: only TLS does, in the clear, as SNI (RFC 6066).
So without TLS there is one service an entry point, and what would take the connections of others is not written. A
rule names hosts only where it is nothing but those names: what a pattern, a negation or another matcher takes besides
is not worked out here.

Facts: Traefik's reference, TCP and UDP "Router" and "Service" of the file provider (v3): a TCP router without entry
points is on all of them, and goes before the HTTP routers there, also for a name that one of those has.
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
_NAME = r"""[`"'][A-Za-z0-9._-]+[`"']"""
_CALL = rf"HostSNI\(\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\)"
_NAMED = re.compile(rf"\s*{_CALL}(?:\s*\|\|\s*{_CALL})*\s*")
_HOST = re.compile(r"\bHost\(([^)]*)\)")
_QUOTED = re.compile(r"""[`"']([^`"']+)[`"']""")
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
    def names(self) -> frozenset[str]:
        """The host names whose connections it takes, and no others; none where that is not all its rule says."""
        rule = str(self.router.get("rule", ""))
        if self.kind == "udp" or not _NAMED.fullmatch(rule):
            return frozenset()
        return frozenset(name.lower() for name in _QUOTED.findall(rule))

    @property
    def catches_all(self) -> bool:
        """Whether it may take whatever comes to its entry points: UDP does, and TCP that does not just name hosts."""
        return not self.names


@dataclass(slots=True)
class _Taken:
    """Whose connections are whose already: of whole entry points, of names by TCP, and of websites.

    Entry points that a router does not name are all of them: an empty set.
    """

    whole: dict[tuple[str, str], str] = field(default_factory=dict)
    names: list[tuple[str, frozenset[str], str]] = field(default_factory=list)
    websites: list[tuple[str, frozenset[str], str]] = field(default_factory=list)
    web_points: frozenset[str] = _WEB

    def add(self, route: StreamRoute) -> None:
        if route.catches_all:
            self.whole |= {(route.kind, point): route.service.where for point in route.points}
        self.names += [(name, frozenset(route.points), route.service.where) for name in sorted(route.names)]


def stream_routes(
    lab: LabView, addresses: Mapping[str, str], devices: Mapping[str, str] | None = None
) -> list[StreamRoute]:
    """Every TCP and UDP route of services elsewhere; of two that nothing tells apart the first by name is served.

    Args:
        lab: the lab's services.
        addresses: private address by host; "" or missing where none is known.
        devices: host names that devices outside of the lab have at ``websecure``, and which has each.
    """
    away = {s.host for s in lab.services if s.host != LOCAL and not has_own_traefik(lab, s.host)}
    mine: list[StreamRoute] = []
    taken = _Taken()
    for service in lab.services:
        elsewhere = service.host in away or service.engine == SWARM
        found = list(_of_service(service, addresses.get(service.host, "")))
        if elsewhere:
            mine += found
        elif service.host == LOCAL:
            # What is beside Traefik is served by its labels, whatever the file says.
            for route in found:
                taken.add(route)
    if not mine:
        return []
    taken.web_points = _WEB | {p for s in lab.services for p in _http_points(s)}
    here = (s for s in lab.services if s.host == LOCAL or s.host in away or s.engine == SWARM)
    taken.websites = [found for s in here for found in _websites(s)]
    taken.websites += [(name, frozenset({"websecure"}), f"device {one}") for name, one in (devices or {}).items()]
    served: list[StreamRoute] = []
    for route in sorted(mine, key=lambda r: (r.kind, r.key)):
        why = route.why or _mixed_up(route, taken)
        served.append(replace(route, address="" if why else route.address, why=why))
        if not why:
            taken.add(route)
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
    if names and "*" not in _QUOTED.findall(names) and not _secure(options):
        return f"a client names the host only when it opens TLS: give the router tls, or {_own('tcp')}"
    return ""


def _mixed_up(route: StreamRoute, taken: _Taken) -> str:
    """Whose connections it would take besides; "" where it takes its own alone."""
    if not route.catches_all:
        return _name_taken(route, taken)
    if not route.points:
        return f"it names no entry point, so it would take what comes to any of them: {_own(route.kind)}"
    for point in route.points:
        if route.kind == "tcp" and point in taken.web_points:
            what = f"of entry point {point}, where websites are"
            rule = str(route.router.get("rule", ""))
            if (calls := _SNI.findall(rule)) and "*" not in _QUOTED.findall("".join(calls)):
                only = "of rules only HostSNI(`NAME`), or several of them joined by ||, keeps to names"
                return f"it may take others' connections {what}: {only}; write it so, or {_own(route.kind)}"
            return f"it would take every connection {what}: {_own(route.kind)}"
        if other := taken.whole.get((route.kind, point)):
            return f"entry point {point} leads to {other} already, and nothing tells the two apart: {_own(route.kind)}"
    return ""


def _name_taken(route: StreamRoute, taken: _Taken) -> str:
    points = frozenset(route.points)
    for theirs, what in ((taken.websites, "a website"), (taken.names, "a TCP route")):
        for name, others, where in theirs:
            if name in route.names and (not points or not others or points & others):
                return f"{name} is {what} of {where} on that entry point: give it another name, or {_own('tcp')}"
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


def _websites(service: Known) -> Iterator[tuple[str, frozenset[str], str]]:
    """(host name, entry points, whose) of a service's HTTP routers."""
    if service.labels.get("traefik.enable", "").lower() == "false":
        return
    labels = {k.lower(): v for k, v in service.labels.items() if k.lower().startswith("traefik.http.routers.")}
    for key, rule in labels.items():
        if key.endswith(".rule"):
            points = frozenset(listed(labels.get(f"{key.removesuffix('.rule')}.entrypoints", "")))
            for call in _HOST.findall(rule):
                yield from ((name.lower(), points, service.where) for name in _QUOTED.findall(call))
