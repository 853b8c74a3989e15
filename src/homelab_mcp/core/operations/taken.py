"""Names, ports and hosts that something in the lab has already, so that nothing else may take them."""

from __future__ import annotations

from collections.abc import Sequence

from homelab_mcp.core.generator import Generated
from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.core.project_name import is_one_off
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL, LabSettings
from homelab_mcp.model.observed import ContainerState, Snapshot


def refuse_taken(
    generated: Generated, stack: str, lab: LabView, snapshot: Snapshot, settings: LabSettings, host: str
) -> None:
    """Refuse what was generated for a stack on a host where something has its names, ports or host name.

    Raises:
        InvalidInput: ``service_exists``, ``container_name_taken``, ``port_taken`` or ``host_taken``, with the holder.
    """
    here = lab.on(host)
    there = "" if host == LOCAL else host
    for name, block in generated.services.items():
        present = next((s for s in lab.services if s.stack == stack and s.name == name), None)
        if present:
            raise InvalidInput(
                f"Stack {stack} already has a service called {name}.",
                hint="Give another 'name' (and 'subdomain') for a second instance.",
                code="service_exists",
            )
        holder = here.container(name)
        around = [c for c in snapshot.every_container if c.host == there]
        running = next((c for c in around if c.name == name and (c.stack != stack or is_one_off(c.labels))), None)
        if holder or running:
            where = holder.where if holder else _where(running, stack)
            raise InvalidInput(
                f"The container name {name} is taken by {where}.",
                hint="Give another 'name'.",
                code="container_name_taken",
            )
        _refuse_ports(name, block.get("ports", []), here, [c for c in snapshot.besides if c.host == there])
    if generated.route:
        refuse_host(generated.route.host, lab, settings)


def refuse_host(host: str, lab: LabView, settings: LabSettings, *, but: str = "") -> None:
    """Refuse a host name that leads somewhere already; ``but`` is the external service that may have it."""
    known = lab.routed(host)
    outside = next(
        (n for n, r in settings.external.items() if n != but and r.host_name(n, settings.domain) == host), ""
    )
    holder = known.where if known else f"the external service {outside}" if outside else ""
    if holder:
        raise InvalidInput(f"{host} already leads to {holder}.", hint="Give another 'subdomain'.", code="host_taken")


def _where(running: ContainerState | None, stack: str) -> str:
    outside = running is None or running.stack != stack
    return "a container outside this stack" if outside else "a container that `docker compose run` made"


def _refuse_ports(name: str, ports: list[str], lab: LabView, besides: Sequence[ContainerState]) -> None:
    for port in ports:
        body, _, protocol = port.partition("/")
        first, _, last = body.rsplit(":", 2)[-2].partition("-")
        numbers = range(int(first), int(last or first) + 1)
        taken = ((n, lab.publishes(n, protocol or "tcp")) for n in numbers)
        number, holder = next(((n, h) for n, h in taken if h), (0, None))
        if holder:
            raise InvalidInput(
                f"{name} would publish port {number}, which {holder.where} has.",
                hint=f"Free it first, by removing or changing {holder.where}.",
                code="port_taken",
            )
        for one in besides:
            if at := next((p for p in one.ports if p.host_port in numbers and p.protocol == (protocol or "tcp")), None):
                raise InvalidInput(
                    f"{name} would publish port {at.host_port}, which the container {one.name} has.",
                    hint="Stop that container first; no service of the lab made it.",
                    code="port_taken",
                )
