"""Let one service reach another: a network they share, and variables that say where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.compose_meaning import names_in, read
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.change_request import ConnectServicesRequest
from homelab_mcp.core.operations.container_edit import Aside, set_variables
from homelab_mcp.core.operations.in_its_files import in_its_files
from homelab_mcp.core.operations.lab_view import expand, known_name, view
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification

_PORT = re.compile(r"traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port", re.IGNORECASE)
_OWN_NETWORK = ("host", "none", "container", "bridge")


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two: its stack, itself, and whoever's network it lives in."""

    stack: StackFiles
    name: str
    holder: str
    body: Mapping[str, Any]
    declared: Mapping[str, Any]

    @property
    def joined(self) -> list[str]:
        """The networks that it joins, by their keys in the file."""
        return names_in(self.body.get("networks")) or ["default"]

    def known_as(self, network: str) -> str:
        """The engine's name of a network, where all stacks mean the same by it; "" for a stack's own."""
        return known_name(self.declared.get(network), network, env_file.parse_or_empty(self.stack.env_text))


@in_its_files
def connect_services(snapshot: Snapshot, settings: LabSettings, request: ConnectServicesRequest) -> Draft:
    """A draft that lets ``a`` reach ``b``.

    Where they share no network: the one that was named, else one that ``b`` (or ``a``) has beside the proxy's, else a
    new one of the two alone. Both stay on the networks they have.

    Raises:
        NotFound: no such stack or service.
        InvalidInput: one lives on the host's network (``no_network``), ``b``'s port is not known (``missing_input``),
            or nothing would change (``nothing_to_do``).
        EditRefused: its lines cannot be changed alone.
    """
    a, b = _side(snapshot, request.a_stack, request.a), _side(snapshot, request.b_stack, request.b)
    if (a.stack.name, a.holder) == (b.stack.name, b.holder):
        raise InvalidInput(
            f"{a.name} and {b.name} are one, or share one network already: {a.name} reaches it at localhost.",
            code="nothing_to_do",
            hint="No plan is needed.",
        )
    texts = {a.stack.name: a.stack.compose_text, b.stack.name: b.stack.compose_text}
    network, fresh = _shared(a, b), False
    joining: list[_Side] = []
    if request.network and request.network != network:
        network = ""
    if not network:
        network, fresh = _network(a, b, request, settings)
        joining = [s for s in (a, b) if network not in [s.known_as(n) for n in s.joined]]
    for side in joining:
        _join(side, network, settings.route_network, texts)
    host = _host(b, snapshot)
    port = request.port or _port(b)
    aside = Aside()
    if request.variables:
        _tell(a, host, port, request, texts, aside)
    return _draft(a, b, texts, joining, network, fresh, aside, host, port, request)


def _side(snapshot: Snapshot, stack_name: str, service: str) -> _Side:
    stack = service_parts.stack_of(snapshot, stack_name)
    services = service_parts.services_in(stack, service)
    holder = service_parts.carrier(services, service)
    body = services[holder]
    mode = str(body.get("network_mode") or "").partition(":")[0]
    if mode in _OWN_NETWORK:
        where = (
            "the host's own network: others reach it at the host's address" if mode == "host" else "no shared network"
        )
        raise InvalidInput(f"{service} is on {where}.", code="no_network", hint="Give it networks of its own first.")
    return _Side(stack, service, holder, body, read(stack.compose_text).get("networks") or {})


def _shared(a: _Side, b: _Side) -> str:
    """The network both are on, by the key that ``a``'s file has; "" where there is none."""
    if a.stack.name == b.stack.name and (both := [n for n in a.joined if n in b.joined]):
        return a.known_as(both[0]) or both[0]
    names = {name for n in b.joined if (name := b.known_as(n))}
    return next((name for n in a.joined if (name := a.known_as(n)) in names), "")


def _network(a: _Side, b: _Side, request: ConnectServicesRequest, settings: LabSettings) -> tuple[str, bool]:
    """The network to join, and whether it is a new one."""
    if request.network:
        known = {side.known_as(n) for side in (a, b) for n in side.declared}
        return request.network, request.network not in known
    for side in (b, a):
        for name in (side.known_as(n) for n in side.joined):
            if name and name != settings.route_network:
                return name, False
    return f"{a.name}-{b.name}"[:63], True


def _join(side: _Side, network: str, route: str, texts: dict[str, str]) -> None:
    known = [side.known_as(n) for n in side.joined]
    edit = ServiceEdit(texts[side.stack.name], side.holder)
    key = next((k for k in side.declared if side.known_as(k) == network), network)
    if not edit.names("networks"):
        # Without a list it is on the stack's default network, which a list alone would take away.
        edit.add_name("networks", "default")
    edit.add_name("networks", key)
    edit.declare("networks", key, {"external": True})
    labels = edit.entries("labels")
    if labels.get("traefik.enable") == "true" and "traefik.docker.network" not in labels and route in known:
        # On several networks Traefik takes one by chance, unless it is told which.
        edit.set_entry("labels", "traefik.docker.network", route)
    texts[side.stack.name] = edit.text


def _host(b: _Side, snapshot: Snapshot) -> str:
    """The name that ``b`` answers to: its service's, or its container's where another stack has the same service."""
    fixed = expand(str(b.body.get("container_name") or ""), env_file.parse_or_empty(b.stack.env_text))
    twins = [s for s in view(snapshot).services if s.name == b.holder and s.stack != b.stack.name]
    return fixed if twins and fixed and "$" not in fixed else b.holder


def _port(b: _Side) -> int:
    """The container's port: its route's, else the first that it publishes or exposes; 0 where nothing says."""
    env = env_file.parse_or_empty(b.stack.env_text)
    labels = ServiceEdit(b.stack.compose_text, b.holder).entries("labels")
    found = [v for k, v in labels.items() if _PORT.fullmatch(k) and v]
    for port in (*(b.body.get("ports") or ()), *(b.body.get("expose") or ())):
        found.append(str(port.get("target", "")) if isinstance(port, Mapping) else str(port))
    for text in found:
        last = expand(text, env).partition("/")[0].rpartition(":")[2]
        if last.isdigit():
            return int(last)
    return 0


def _tell(a: _Side, host: str, port: int, request: ConnectServicesRequest, texts: dict[str, str], aside: Aside) -> None:
    if not port and any("{port}" in v or "{url}" in v for v in request.variables.values()):
        raise InvalidInput(
            f"Nothing says which port {request.b} listens on.", code="missing_input", hint="Give 'port'."
        )
    words = {"{host}": host, "{port}": str(port), "{url}": f"http://{host}:{port}"}
    values = {}
    for name, value in request.variables.items():
        for word, meaning in words.items():
            value = value.replace(word, meaning)
        values[name] = value
    edit = ServiceEdit(texts[a.stack.name], a.name)
    set_variables(edit, values, (), env_file.parse(a.stack.env_text), aside)
    texts[a.stack.name] = edit.text


def _draft(
    a: _Side,
    b: _Side,
    texts: Mapping[str, str],
    joining: list[_Side],
    network: str,
    fresh: bool,
    aside: Aside,
    host: str,
    port: int,
    request: ConnectServicesRequest,
) -> Draft:
    stacks = {s.stack.name: s.stack for s in (a, b)}
    edits = [
        FileEdit(s.compose_path, s.compose_text, texts[n]) for n, s in stacks.items() if s.compose_text != texts[n]
    ]
    if aside.env:
        before = a.stack.env_text
        after = env_file.set_values(before, {k: v for k, v in aside.env.items() if v is not None})
        edits.append(FileEdit(a.stack.env_path, before or None, after, mode=0o600, secret=True))
    reach = f"{a.name} reaches {b.name} at {host}:{port}" if port else f"{a.name} reaches {b.name} by the name {host}"
    if not edits:
        raise InvalidInput(
            f"They share network {network} already: {reach}.", code="nothing_to_do", hint="No plan needed."
        )
    anew = {(s.stack.name, s.holder) for s in joining} | ({(a.stack.name, a.name)} if request.variables else set())
    anew |= {
        (stack, bound)
        for stack, name in tuple(anew)
        for bound in service_parts.bound_to(read(stacks[stack].compose_text).get("services") or {}, name)
    }
    by_stack = {n: tuple(sorted(s for stack, s in anew if stack == n)) for n in stacks}
    ups = [EngineAction(ActionKind.UP, f"Joins {network}.", n, names) for n, names in by_stack.items() if names]
    checks = [Verification(n, names) for n, names in by_stack.items() if names]
    create = [EngineAction(ActionKind.CREATE_NETWORK, "The two of them share it.", name=network)] if joining else []
    risks = [RiskReason(Risk.MEDIUM, f"Recreates {', '.join(sorted(s for _, s in anew))}.")]
    if "core" in stacks:
        risks.append(RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on."))
    notes = [f"{reach}, over network {network}."]
    if port and not request.variables:
        notes.append(
            f"{a.name} is told of no address by this. Where it keeps one on a page of its own, as of a webhook, a "
            f"person enters http://{host}:{port} there; where its API is known, `call_service_api` plans it."
        )
    if joining and not fresh:
        notes.append(f"Whatever else is on {network} reaches {', '.join(s.name for s in joining)} as well.")
    return Draft(
        operation="connect_services",
        summary=f"Let {a.name} of stack {a.stack.name} reach {b.name} of stack {b.stack.name}",
        edits=tuple(edits),
        actions=(*create, *ups),
        verification=checks[0] if checks else Verification(),
        also_verify=tuple(checks[1:]),
        risks=tuple(risks),
        notes=(*notes, *aside.notes),
        undo="Roll this plan back.",
        target=a.name,
    )
