"""Routes of services on other hosts and in Swarm: Traefik cannot see their labels, so a file says the same to it.

The labels stay the truth, as for a service beside Traefik. What leads there is the service's port, published on the
host's private address and nowhere else; to a service of Swarm, an overlay network that Traefik joins.

Facts: Traefik's reference, "Docker" routing labels and "File" dynamic configuration (v3): option names are the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.kept_routes import is_traefik
from homelab_mcp.core.lazy import dynamic_folder
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.project_name import folder_project
from homelab_mcp.core.published_ports import bracketed, published_at
from homelab_mcp.core.route_labels import HTTP_LABEL, PORT, SCHEME, TRANSPORT, listed
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.lab import LOCAL

FILE = "other-hosts.yaml"
"""In Traefik's dynamic folder."""

HEAD = (
    "# Made by homelab-mcp from the labels of services on other hosts, and made anew by every plan. Your own routes\n"
    "# belong in other files of this folder: they are never touched.\n"
)
_HOST = re.compile(r"\bHost\(([^)]*)\)")
_QUOTED = re.compile(r"[`\"']([^`\"']+)[`\"']")


@dataclass(frozen=True, slots=True)
class HostRoute:
    """One router of a service on another host.

    Args:
        key: its name in Traefik's file.
        service: whose it is.
        hosts: host names that it answers to.
        router: as the file has it.
        url: where the core host's Traefik reaches the service; "" where it cannot.
        why: why it cannot.
        transport: the transport over which it is reached, where its labels name one.
    """

    key: str
    service: Known
    hosts: tuple[str, ...]
    router: Mapping[str, Any]
    url: str
    why: str = ""
    transport: str = ""


def core_folder(lab: LabView) -> str:
    """The dynamic folder of this machine's Traefik, relative to the lab's root; "" where there is none."""
    traefik = lab.on(LOCAL).made_from("traefik")
    return dynamic_folder(traefik) if traefik else ""


def has_own_traefik(lab: LabView, host: str) -> bool:
    """Whether that host has a Traefik of its own, which then serves what is beside it."""
    return host != LOCAL and any(is_traefik(s) for s in lab.services if s.host == host)


def host_routes(lab: LabView, addresses: Mapping[str, str]) -> list[HostRoute]:
    """The routes of every service on another host that has no Traefik of its own, and of those that Swarm runs.

    Args:
        lab: the lab's services.
        addresses: private address by host; "" or missing where none is known.
    """
    found: list[HostRoute] = []
    for service in lab.services:
        away = service.host != LOCAL and not has_own_traefik(lab, service.host)
        if away or service.engine == SWARM:
            found += _of_service(service, addresses.get(service.host, ""))
    return sorted(found, key=lambda r: r.key)


def file_text(routes: Collection[HostRoute], streams: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """The file of the routes that lead somewhere; "" where there is none.

    Args:
        routes: by HTTP.
        streams: the file's sections ``tcp`` and ``udp``, as ``stream_routes.sections`` has them.
    """
    good = [r for r in routes if r.url]
    http = {
        "routers": {r.key: {**r.router, "service": r.key} for r in good},
        "services": {r.key: {"loadBalancer": _balancer(r)} for r in good},
    }
    sections = {**({"http": http} if good else {}), **(streams or {})}
    lines = [line for name, section in sections.items() for line in entry(name, section, 0, Style())]
    return HEAD + "\n".join(lines) + "\n" if lines else ""


def _balancer(route: HostRoute) -> dict[str, Any]:
    transport = {"serversTransport": route.transport} if route.transport else {}
    return {"servers": [{"url": route.url}], **transport}


def _of_service(service: Known, address: str) -> Iterator[HostRoute]:
    labels = service.labels
    if labels.get("traefik.enable", "").lower() != "true":
        return
    parts: dict[str, dict[str, dict[str, str]]] = {"routers": {}, "services": {}}
    for key, value in labels.items():
        if found := HTTP_LABEL.match(key):
            parts[found[1].lower()].setdefault(found[2], {})[found[3].lower()] = value
    for name, options in parts["routers"].items():
        if rule := options.get("rule", ""):
            hosts = [h.lower() for call in _HOST.findall(rule) for h in _QUOTED.findall(call)]
            balancer = _balancer_of(options.get("service", ""), parts["services"])
            url, why = _url(service, balancer, address)
            place = SWARM if service.engine == SWARM else service.host
            key = f"{place}-{service.stack}-{name}"
            transport = balancer.get(TRANSPORT, "")
            # A label's bare name is its own provider's, which can define no transport.
            told = transport if "@" in transport or not transport else f"{transport}@file"
            yield HostRoute(key, service, tuple(dict.fromkeys(hosts)), _router(options), url, why, told)


def _router(options: Mapping[str, str]) -> dict[str, Any]:
    router: dict[str, Any] = {"rule": options["rule"]}
    if points := listed(options.get("entrypoints", "")):
        router["entryPoints"] = points
    if middlewares := listed(options.get("middlewares", "")):
        # A label's bare name is its own provider's, and this is another one.
        router["middlewares"] = [m if "@" in m else f"{m}@docker" for m in middlewares]
    if options.get("priority", "").isdigit():
        router["priority"] = int(options["priority"])
    resolver, chosen = options.get("tls.certresolver", ""), options.get("tls.options", "")
    if resolver or chosen or options.get("tls", "").lower() == "true":
        given = {"certResolver": resolver, "options": chosen if "@" in chosen or not chosen else f"{chosen}@docker"}
        router["tls"] = {k: v for k, v in given.items() if v}
    return router


def _balancer_of(wanted: str, services: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """The options of the Traefik service that a router names, or of the only one."""
    return services.get(wanted, {}) if wanted else next(iter(services.values()), {})


def _url(service: Known, balancer: Mapping[str, str], address: str) -> tuple[str, str]:
    """Where the service is reached, or why it is not."""
    port = balancer.get(PORT, "")
    if not port.isdigit():
        return "", "its labels do not say which port of the container is meant (loadbalancer.server.port)"
    if service.engine == SWARM:
        # Swarm's own name for the addresses of all tasks that run; it needs no IPVS, as the one for all of them does.
        name = f"tasks.{folder_project(service.stack)}_{service.name}"
        return f"{balancer.get(SCHEME) or 'http'}://{name}:{port}", ""
    if not address:
        return "", f"no private address of host {service.host} is known"
    at = int(port)
    if service.data.get("network_mode") != "host":
        at = published_at(service.data.get("ports"), service.env, at, address)
    if not at:
        return "", f"port {port} of the container is not published on {address}"
    return f"{balancer.get(SCHEME) or 'http'}://{bracketed(address)}:{at}", ""
