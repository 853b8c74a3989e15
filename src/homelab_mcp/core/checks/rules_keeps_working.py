"""HL250: networks, mounts and volumes that keep a service from working."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import CACHES, is_client, is_database
from homelab_mcp.core.checks.rules_keeping import data_folder
from homelab_mcp.core.checks.rules_limits import value_at
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity


@rule(
    "HL250",
    Severity.WARNING,
    "A network or mount that keeps a service from working",
    why="A database cannot write into a read-only folder; ports of a service on internal or macvlan networks alone are "
    "published to nobody; one alias for two containers is answered by either; addresses of the internet used inside "
    "hide the real ones.",
    link="https://docs.docker.com/reference/compose-file/networks/",
    bad="services:\n  db:\n    image: mariadb:11.8\n    volumes: ['./db:/var/lib/mysql:ro']\n",
    good="services:\n  db:\n    image: mariadb:11.8\n    volumes: ['./db:/var/lib/mysql']\n",
)
def keeps_from_working(ctx: LintContext) -> Iterable[Finding]:
    """Read-only data, ports on internal networks, aliases twice, public subnets, volumes without their options."""
    aliases: dict[tuple[str, str], ServiceView] = {}
    for service in ctx.services():
        if is_database(service) and not is_client(service):
            folder = data_folder(service) or ("/data" if service.image_name in CACHES else "")
            for mount in service.mounts:
                if folder and mount.read_only and mount.target.rstrip("/") == folder:
                    message = "The database cannot write into its own folder: it is mounted read-only."
                    yield ctx.on(service, mount.at("read_only"), message, severity=Severity.ERROR)
        yield from _nobody(ctx, service)
        yield from _aliases(ctx, service, aliases)
    for stack in ctx.lab.stacks:
        for name, body in stack.section("networks").items():
            for n, item in enumerate(_configs(body)):
                subnet = item.get("subnet") if isinstance(item, dict) else None
                if isinstance(subnet, str) and not is_open(subnet) and _public(subnet):
                    message = f"{subnet} belongs to somebody on the internet: from here it cannot be reached any more."
                    yield ctx.at(stack, ("networks", name, "ipam", "config", n, "subnet"), message)
        for name, body in stack.section("volumes").items():
            yield from _volume(ctx, stack, name, body)


def _nobody(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    bodies = [service.stack.section("networks").get(key) for key in service.networks]
    internal = bodies and all(isinstance(b, dict) and b.get("internal") in (True, "true") for b in bodies)
    if internal and service.published and not service.network_mode:
        message = "All its networks are internal: nothing is published, whatever stands here."
        yield ctx.on(service, service.published[0][0].at("published"), message)
    elif bodies and service.published and not service.network_mode and all(map(_on_the_lan, bodies)):
        message = "All its networks are macvlan or ipvlan: it is asked at its own address, and nothing is published."
        yield ctx.on(service, service.published[0][0].at("published"), message)
    elif internal and service.image_name in _OUTWARD and not service.network_mode and not service.partial:
        first = next(iter(service.networks.values()))
        yield ctx.on(service, first, "All its networks are internal, and it works with the internet.")


def _on_the_lan(body: Any) -> bool:
    return isinstance(body, dict) and body.get("driver") in ("macvlan", "ipvlan")


_OUTWARD = frozenset(
    {"gluetun", "cloudflared", "watchtower", "diun", "ddns-updater", "duckdns", "cloudflare-ddns", "tailscale"}
    | {"speedtest-tracker", "qbittorrent", "prowlarr", "transmission", "sabnzbd"}
)
"""Programs whose work is out on the internet."""


def _aliases(ctx: LintContext, service: ServiceView, seen: dict[tuple[str, str], ServiceView]) -> Iterator[Finding]:
    networks = service.data.get("networks")
    for key, options in networks.items() if isinstance(networks, dict) else ():
        part = options.get("aliases") if isinstance(options, dict) else None
        real = service.stack.real_network(str(key))
        for n, alias in enumerate(part if isinstance(part, list) else ()):
            other = seen.setdefault((real, str(alias)), service)
            namesake = service.stack.service(str(alias))
            if namesake is not None and namesake is not service and real in namesake.real_networks:
                other = namesake
            if other is not service and service.is_beside(other) and isinstance(alias, str) and not is_open(alias):
                message = f"{other.name!r} answers to {str(alias)!r} too: which one is asked is chance."
                yield ctx.on(service, ("networks", key, "aliases", n), message)


def _configs(body: Any) -> list[Any]:
    found = value_at(body, ("ipam", "config"))
    return found if isinstance(found, list) else []


def _public(subnet: str) -> bool:
    try:
        network = ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return False
    return network.is_global and not network.is_multicast


def _volume(ctx: LintContext, stack: Any, name: str, body: Any) -> Iterator[Finding]:
    options = body.get("driver_opts") if isinstance(body, dict) else None
    if (
        not isinstance(options, dict)
        or body.get("driver") not in (None, "local")
        or any(map(is_open, options.values()))
    ):
        return
    kind, given = str(options.get("type") or ""), str(options.get("o") or "")
    path: Path = ("volumes", name, "driver_opts")
    if kind.startswith("nfs") and "addr=" not in given and "://" not in given:
        message = "NFS needs the server in 'o': addr=192.168.1.10,rw."
        yield ctx.at(stack, path, message, severity=Severity.ERROR, key=True)
    elif kind.startswith("nfs") and options.get("device") and ":" not in str(options["device"]):
        message = "What NFS mounts is written with a colon: ':/export/media', the server being in 'o'."
        yield ctx.at(stack, (*path, "device"), message, severity=Severity.ERROR)
    elif kind == "cifs" and options.get("device") and not str(options["device"]).startswith(("//", "\\\\")):
        message = "What CIFS mounts begins with two slashes: //192.168.1.10/share."
        yield ctx.at(stack, (*path, "device"), message, severity=Severity.ERROR)
    elif kind in {"none", "bind"} and options.get("device") and "bind" not in given:
        message = "A folder of the host needs 'o: bind'."
        yield ctx.at(stack, path, message, severity=Severity.ERROR, key=True)
