"""Which stacks are the core that every address goes through, and whether a standby of them can be on another host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from homelab_mcp.core.host_routes import has_own_traefik
from homelab_mcp.core.kept_routes import is_traefik
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.core.operations.volume_edit import source_of
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.swarm.keys import SHARED_SYSTEM
from homelab_mcp.model.lab import LOCAL, LabSettings


def core_stacks(lab: LabView, settings: LabSettings) -> tuple[str, ...]:
    """This machine's stacks with Traefik and with the log-in, sorted; none without a Traefik here."""
    here = [s for s in lab.services if s.host == LOCAL and s.engine != SWARM]
    if not any(is_traefik(s) for s in here):
        return ()
    return tuple(sorted({s.stack for s in here if is_traefik(s)} | set(login_stacks(lab, settings))))


def login_stacks(lab: LabView, settings: LabSettings) -> tuple[str, ...]:
    """This machine's stacks with the service whose labels define the log-in's middleware, sorted.

    None for a middleware of another provider (``authelia@file``): no label says whose it is.
    """
    name, _, provider = settings.sso_middleware.partition("@")
    prefix = f"traefik.http.middlewares.{name}.".lower()
    if not name or provider not in {"", "docker"}:
        return ()
    here = [s for s in lab.services if s.host == LOCAL and s.engine != SWARM]
    return tuple(sorted({s.stack for s in here if any(k.lower().startswith(prefix) for k in s.labels)}))


def in_the_way(lab: LabView, stacks: Sequence[str], host: str) -> str:
    """Why that host cannot have a standby by what the lab itself has there; "" where it can."""
    if has_own_traefik(lab, host):
        return f"host {host} has a Traefik of its own in the lab"
    mine = [s for s in lab.services if s.stack in stacks]
    for other in (s for s in lab.services if s.host == host):
        for one in mine:
            if both := one.published() & other.published():
                port, protocol = min(both)
                return f"{other.where} has port {port}/{protocol} on host {host}, which {one.where} needs"
            if (name := _called(one)) and name == _called(other):
                return f"{other.where} has the container name {name} on host {host}"
    return ""


def not_carried(lab: LabView, stacks: Sequence[str]) -> Iterator[str]:
    """What a sync does not bring along, a sentence each."""
    outside: list[str] = []
    volumes: list[str] = []
    for service in (s for s in lab.services if s.stack in stacks):
        mounts = service.data.get("volumes")
        for mount in mounts if isinstance(mounts, list) else ():
            source = expand(source_of(mount), service.env)
            if source.startswith(SHARED_SYSTEM) or not source:
                continue
            if source.startswith(("/", "~", "..")):
                outside.append(f"{source} ({service.where})")
            elif not source.startswith("."):
                volumes.append(f"{source} ({service.where})")
    if outside:
        yield f"Not brought along, as it is outside of the stack's folder; it must be there: {', '.join(outside)}."
    if volumes:
        yield f"Not brought along, and begins empty there: the volume {', '.join(volumes)}."


def fixed_addresses(lab: LabView, stacks: Sequence[str]) -> tuple[str, ...]:
    """Addresses of this machine that the core publishes its ports on, and which the other must have by then."""
    found = set()
    for service in (s for s in lab.services if s.stack in stacks):
        ports = service.data.get("ports")
        for port in ports if isinstance(ports, list) else ():
            text = str(port.get("host_ip") or "") if isinstance(port, dict) else expand(str(port), service.env)
            address = text if isinstance(port, dict) else text.rpartition(":")[0].rpartition(":")[0]
            found.add(address.strip("[]"))
    return tuple(sorted(found - {"", "0.0.0.0", "::"}))  # noqa: S104 - what is published everywhere, not bound here


def _called(service: Known) -> str:
    return expand(str(service.data.get("container_name") or ""), service.env)
