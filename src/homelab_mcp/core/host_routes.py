"""Routes of services on other hosts and in Swarm: Traefik cannot see their labels, so a file says the same to it.

The labels stay the truth, as for a service beside Traefik. What leads there is the service's port, published on the
host's private address and nowhere else; to a service of Swarm, an overlay network that Traefik joins.

Facts: Traefik's reference, "Docker" routing labels and "File" dynamic configuration (v3): option names are the same.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.kept_routes import is_traefik
from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.lazy import dynamic_folder
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.core.project_name import folder_project
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.lab import LOCAL

FILE = "other-hosts.yaml"
"""In Traefik's dynamic folder."""

HEAD = (
    "# Made by homelab-mcp from the labels of services on other hosts, and made anew by every plan. Your own routes\n"
    "# belong in other files of this folder: they are never touched.\n"
)
_LABEL = re.compile(r"^traefik\.http\.(routers|services)\.([^.]+)\.(.+)$", re.IGNORECASE)
_HOST = re.compile(r"\bHost\(([^)]*)\)")
_QUOTED = re.compile(r"[`\"']([^`\"']+)[`\"']")
_PORT, _SCHEME = "loadbalancer.server.port", "loadbalancer.server.scheme"
_TRANSPORT = "loadbalancer.serverstransport"
_CARRIED = {
    "routers": {"rule", "entrypoints", "middlewares", "priority", "service", "tls", "tls.certresolver", "tls.options"},
    "services": {_PORT, _SCHEME, _TRANSPORT},
}
_OF_DOCKER = ("traefik.enable", "traefik.docker.")
_LOWEST, _SHIFTED, _SPARE = 1024, 10_000, 20_000


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


def not_carried(service: Known) -> list[str]:
    """Labels for Traefik that the file cannot say, so that the route would not be what they ask for."""
    lost = []
    for key in service.labels:
        if not key.lower().startswith("traefik.") or key.lower().startswith(_OF_DOCKER):
            continue
        label = _LABEL.match(key)
        if label is None or label[3].lower() not in _CARRIED[label[1].lower()]:
            lost.append(key)
    return lost


def file_text(routes: Collection[HostRoute]) -> str:
    """The file of the routes that lead somewhere; "" where there is none."""
    good = [r for r in routes if r.url]
    if not good:
        return ""
    http = {
        "routers": {r.key: {**r.router, "service": r.key} for r in good},
        "services": {r.key: {"loadBalancer": _balancer(r)} for r in good},
    }
    return HEAD + "\n".join(entry("http", http, 0, Style())) + "\n"


def _balancer(route: HostRoute) -> dict[str, Any]:
    transport = {"serversTransport": route.transport} if route.transport else {}
    return {"servers": [{"url": route.url}], **transport}


def published(
    services: Mapping[str, dict[str, Any]], address: str, taken: Collection[int]
) -> dict[str, dict[str, Any]]:
    """New services with each routed port published on the host's private address alone.

    Args:
        services: as they are to be written.
        address: the private address.
        taken: host ports that others on that host have.
    """
    used = {*taken, *(host for s in services.values() for _, host, _ in _ports(s.get("ports"), {}))}
    found: dict[str, dict[str, Any]] = {}
    for name, block in services.items():
        own = list(block.get("ports") or ())
        labels = labels_of(block)
        for port in dict.fromkeys(_port_labels(labels)) if labels.get("traefik.enable") == "true" else ():
            if block.get("network_mode") == "host" or _published_at(own, {}, port, address):
                continue
            chosen = _free(port, used)
            used.add(chosen)
            own.append(f"{_bracketed(address)}:{chosen}:{port}")
        found[name] = {**block, "ports": own} if own else block
    return found


def _of_service(service: Known, address: str) -> Iterator[HostRoute]:
    labels = service.labels
    if labels.get("traefik.enable", "").lower() != "true":
        return
    parts: dict[str, dict[str, dict[str, str]]] = {"routers": {}, "services": {}}
    for key, value in labels.items():
        if found := _LABEL.match(key):
            parts[found[1].lower()].setdefault(found[2], {})[found[3].lower()] = value
    for name, options in parts["routers"].items():
        if rule := options.get("rule", ""):
            hosts = [h.lower() for call in _HOST.findall(rule) for h in _QUOTED.findall(call)]
            balancer = _balancer_of(options.get("service", ""), parts["services"])
            url, why = _url(service, balancer, address)
            place = SWARM if service.engine == SWARM else service.host
            key = f"{place}-{service.stack}-{name}"
            transport = balancer.get(_TRANSPORT, "")
            # A label's bare name is its own provider's, which can define no transport.
            told = transport if "@" in transport or not transport else f"{transport}@file"
            yield HostRoute(key, service, tuple(dict.fromkeys(hosts)), _router(options), url, why, told)


def _router(options: Mapping[str, str]) -> dict[str, Any]:
    router: dict[str, Any] = {"rule": options["rule"]}
    if points := _listed(options.get("entrypoints", "")):
        router["entryPoints"] = points
    if middlewares := _listed(options.get("middlewares", "")):
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
    port = balancer.get(_PORT, "")
    if not port.isdigit():
        return "", "its labels do not say which port of the container is meant (loadbalancer.server.port)"
    if service.engine == SWARM:
        # Swarm's own name for the addresses of all tasks that run; it needs no IPVS, as the one for all of them does.
        name = f"tasks.{folder_project(service.stack)}_{service.name}"
        return f"{balancer.get(_SCHEME) or 'http'}://{name}:{port}", ""
    if not address:
        return "", f"no private address of host {service.host} is known"
    at = int(port)
    if service.data.get("network_mode") != "host":
        at = _published_at(service.data.get("ports"), service.env, at, address)
    if not at:
        return "", f"port {port} of the container is not published on {address}"
    return f"{balancer.get(_SCHEME) or 'http'}://{_bracketed(address)}:{at}", ""


def _port_labels(labels: Mapping[str, str]) -> Iterator[int]:
    for key, value in labels.items():
        label = _LABEL.match(key)
        if label and label[1].lower() == "services" and label[3].lower() == _PORT and value.isdigit():
            yield int(value)


def _free(port: int, used: Collection[int]) -> int:
    """The container's own port where it can be had, else one that still tells which it is, else a spare one."""
    own = port if port >= _LOWEST else _SHIFTED + port
    wanted: tuple[int, ...] = (own, *range(_SPARE, 2 * _SPARE))
    return next(n for n in wanted if n not in used)


def _published_at(ports: object, env: Mapping[str, str], port: int, address: str) -> int:
    """The host's port that leads to that port of the container on exactly this address; 0 where none does."""
    wanted = ipaddress.ip_address(address)
    for ip, host, container in _ports(ports, env):
        try:
            if container == port and ipaddress.ip_address(ip) == wanted:
                return host
        except ValueError:
            continue
    return 0


def _ports(ports: object, env: Mapping[str, str]) -> Iterator[tuple[str, int, int]]:
    """(address, host port, container port) of each TCP port that is published; "" is every address."""
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, Mapping):
            ip, text = str(port.get("host_ip") or ""), f"{port.get('published', '')}:{port.get('target', '')}"
            protocol = str(port.get("protocol") or "tcp")
            text = expand(text, env)
        else:
            text, _, protocol = expand(str(port), env).partition("/")
            ip, _, rest = text.rpartition(":")
            ip, _, first = ip.rpartition(":")
            text = f"{first}:{rest}"
        first, _, last = text.partition(":")
        if (protocol or "tcp") == "tcp" and first.isdigit() and last.isdigit():
            yield ip.strip("[]"), int(first), int(last)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
