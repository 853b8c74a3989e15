"""Whether what is meant to go through the VPN does: asked of the containers that run."""

from __future__ import annotations

from typing import Any

from homelab_mcp.core import vpn, vpn_check
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.operations.lab_view import Known, view
from homelab_mcp.core.project_name import project_name
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import ContainerState, Snapshot, StackFiles
from homelab_mcp.ports import Engine, Inside, Lab
from homelab_mcp.queries.find import check_stack, read_stacks

_TELLING = frozenset(
    {"FIREWALL", "FIREWALL_OUTBOUND_SUBNETS", "DOT", "DNS_SERVER", "DNS_ADDRESS", "DNS_UPSTREAM_PLAIN_ADDRESSES"}
)


def check_vpn(lab: Lab, stack: str = "") -> dict[str, Any]:
    """Every gateway of the lab (or of one stack), with those behind it.

    Returns:
        ``gateways``: for each what ``core.vpn_check.verdict`` says; ``verdict``: the worst of theirs (bad, unseen, ok).
        The host's own address is compared and not told.

    Raises:
        NotFound: no such stack, or no gateway.
        InvalidInput: in files-only mode (code ``needs_docker``).
        EngineUnavailable: Docker does not answer.
    """
    if lab.files_only:
        raise InvalidInput(
            "Only running containers can tell, and Docker is left out (files only).",
            hint="Ask without files-only mode.",
            code="needs_docker",
        )
    stacks = read_stacks(lab.files)
    if stack:
        check_stack(stacks, stack)
    gateways = [g for g in vpn.gateways(view(Snapshot(stacks, None))) if stack in ("", g.stack)]
    if not gateways:
        where = f"Stack {stack}" if stack else f"Host {lab.seen}" if lab.seen else "The lab"
        raise NotFound(f"{where} has no VPN gateway.", hint="set_vpn sends a service through one.", code="no_gateway")
    engine, inside = lab.engine, lab.inside
    host = inside.host_address()
    texts = {s.name: s for s in stacks}
    found = [vpn_check.verdict(_seen(engine, inside, g, texts[g.stack]), host) for g in gateways]
    words = {g["verdict"] for g in found}
    return {"verdict": next(w for w in ("bad", "unseen", "ok") if w in words), "gateways": found}


def _seen(engine: Engine, inside: Inside, gateway: Known, stack: StackFiles) -> vpn_check.SeenGateway:
    running = {c.service: c for c in engine.containers(project_name(stack.name, stack.compose_text))}
    services = services_of(read(stack.compose_text))
    mine = running.get(gateway.name)
    up = mine is not None and mine.state == "running"
    env = engine.made_from(mine.id).env if mine else {}
    looks = inside if host_of(stack.compose_text) == LOCAL else _Outside()
    return vpn_check.SeenGateway(
        where=gateway.where,
        state=mine.state if mine else "",
        health=mine.health if mine else "",
        address=_address(looks, mine) if up and mine else "",
        servers=_servers(looks, mine) if up and mine else None,
        env={k: v for k, v in env.items() if k in _TELLING},
        clients=[
            _client(looks, running.get(name), mine, name, services[name])
            for name in vpn.clients(services, gateway.name)
        ],
    )


class _Outside:
    """Stands for looks into containers of another host, which ``docker exec`` on this machine does not reach."""

    def network_of(self, container_id: str) -> None:
        return None

    def read(self, container_id: str, path: str) -> None:
        return None

    def address(self, container_id: str) -> str:
        return ""


_Looks = Inside | _Outside


def _address(inside: _Looks, gateway: ContainerState) -> str:
    """Asked of the internet, else what Gluetun found when the tunnel came up."""
    return inside.address(gateway.id) or (inside.read(gateway.id, vpn_check.ADDRESS_FILE) or "").strip()


def _servers(inside: _Looks, container: ContainerState) -> tuple[str, ...] | None:
    return vpn_check.name_servers(inside.read(container.id, "/etc/resolv.conf"))


def _client(
    inside: _Looks, container: ContainerState | None, gateway: ContainerState | None, name: str, service: Any
) -> vpn_check.SeenClient:
    dns = service.get("dns") or ()
    given = (dns,) if isinstance(dns, str) else tuple(str(d) for d in dns)
    if container is None or container.state != "running":
        return vpn_check.SeenClient(name, running=False, in_network=False, dns=given)
    network = inside.network_of(container.id)
    joined = (
        None if network is None else gateway is not None and network in (gateway.id, gateway.name) and network != ""
    )
    return vpn_check.SeenClient(
        name,
        running=True,
        in_network=joined,
        address=inside.address(container.id),
        servers=_servers(inside, container),
        dns=given,
    )
