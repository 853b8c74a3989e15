"""Move a service behind the VPN gateway of its stack or back, and choose the gateway's provider."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core import compose_edit, env_file, vpn, vpn_move, vpn_settings
from homelab_mcp.core.compose_meaning import names_in, services_of
from homelab_mcp.core.compose_meaning import read as read_compose
from homelab_mcp.core.labels import COMPANION_OF, labels_of
from homelab_mcp.core.lazy_needs import definition_of
from homelab_mcp.core.operations.in_its_files import in_its_files
from homelab_mcp.core.operations.lab_view import Known, LabView, view
from homelab_mcp.core.operations.vpn_request import VpnRequest
from homelab_mcp.core.vpn_fitness import check_may_move, check_ports
from homelab_mcp.core.vpn_gateway import gateway_for
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound, asks
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Risk,
    RiskReason,
    RouteCheck,
    Verification,
)

Find = Callable[[str], ServiceDefinition]


@dataclass(slots=True)
class _Work:
    """A move on its way."""

    snapshot: Snapshot
    settings: LabSettings
    request: VpnRequest
    find: Find
    lab: LabView
    stack: StackFiles
    text: str
    env: dict[str, str]
    actions: list[EngineAction] = field(default_factory=list)
    risks: list[RiskReason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)

    @property
    def services(self) -> dict[str, Any]:
        return services_of(read_compose(self.text))

    def known(self, name: str) -> Known:
        return Known(self.stack.name, name, self.services[name], self.env)


@in_its_files
def set_vpn(snapshot: Snapshot, settings: LabSettings, request: VpnRequest, *, find: Find, root: str) -> Draft:
    """A draft that moves a service behind its stack's gateway or back, or chooses the gateway's provider.

    A stack without a gateway gets one, from the catalog's definition; it goes again with the last service that it was
    made for. Never takes a secret: what a person must set is said instead.

    Raises:
        NotFound: no such stack or service, or no gateway in the stack.
        InvalidInput: ``vpn_not_possible``, ``vpn_port_clash``, ``gateway_elsewhere``, ``vpn_provider_missing``,
            ``vpn_provider_unknown``, ``vpn_type_not_offered``, ``vpn_needs_secrets``, ``port_unknown``,
            ``route_clash``, ``network_differs``, ``nothing_to_do``.
        EditRefused: the compose file cannot be changed alone.
    """
    stack = snapshot.stack(request.stack)
    if stack is None:
        raise NotFound(f"There is no stack called {request.stack}.", code="stack_unknown")
    env = env_file.parse(stack.env_text)
    work = _Work(snapshot, settings, request, find, view(snapshot), stack, stack.compose_text, env)
    if request.service is None:
        return _configure(work)
    if request.service not in work.services:
        raise NotFound(f"Stack {stack.name} has no service called {request.service}.", code="service_unknown")
    return _on(work, request.service, root) if request.on else _off(work, request.service)


def _on(work: _Work, name: str, root: str) -> Draft:
    service = work.known(name)
    definition = definition_of(service, work.find)
    if vpn.gateway_of(service, work.lab):
        raise InvalidInput(
            f"{service.where} is behind the VPN already.", code="nothing_to_do", hint="No plan is needed."
        )
    check_may_move(service, work.services, definition)
    gateway = next((n for n, s in work.services.items() if vpn.is_gateway(s)), "")
    made = not gateway
    if made:
        gateway = _new_gateway(work, name, root)
    else:
        _provider(work, gateway, must=False)
    others = [work.known(n) for n in vpn.clients(work.services, gateway)]
    mine = vpn.listening(service, definition)
    check_ports(service, work.known(gateway), ((o, definition_of(o, work.find)) for o in others), mine)
    port = definition.route.port if definition and definition.route else next(iter(mine)) if len(mine) == 1 else None
    work.text = vpn_move.join(work.text, name, gateway, port)
    if service.data.get("ports"):
        why = "Its published ports move to the gateway, which needs them free."
        work.actions.append(EngineAction(ActionKind.REMOVE, why, work.stack.name, (name,)))
    if made:
        work.actions.append(EngineAction(ActionKind.PULL, "The gateway's image.", work.stack.name, (gateway,)))
    why = f"{name} gets the gateway's network."
    work.actions.append(EngineAction(ActionKind.UP, why, work.stack.name, (gateway, name)))
    work.seen += [gateway, name]
    work.risks.append(
        RiskReason(Risk.MEDIUM, f"Recreates {', '.join(dict.fromkeys([gateway, name, *_names(others)]))}.")
    )
    if definition is None or definition.vpn.use == "possible":
        work.notes.append(f"{name} reaches nothing at all while the tunnel is down.")
    work.notes.append(
        f"In the gateway's network {name} finds those behind it at localhost. Others still find {name} under its name; "
        "it finds them by theirs from Gluetun 3.41 on."
    )
    if service.data.get("dns") or service.data.get("extra_hosts"):
        work.notes.append("Its own name servers and host entries do not count behind the gateway, which has its own.")
    return _draft(work, f"Send {name} of stack {work.stack.name} through the VPN", name, service)


def _new_gateway(work: _Work, name: str, root: str) -> str:
    elsewhere = [g for g in vpn.gateways(work.lab) if g.stack != work.stack.name]
    if elsewhere:
        there = elsewhere[0]
        raise InvalidInput(
            f"The lab's VPN gateway is {there.where}, and a network can only be shared within one stack.",
            hint=f"Move {name} to stack {there.stack} first (move_service), then ask again.",
            code="gateway_elsewhere",
        )
    definition = work.find(vpn.GATEWAY)
    choice = _choice(work)
    _refuse_missing(work, choice)
    taken = {s.name for s in work.lab.services} | {c.name for c in work.snapshot.every_container}
    gateway = f"{name}-{vpn.GATEWAY}" if vpn.GATEWAY in taken else vpn.GATEWAY
    made = gateway_for(
        definition,
        work.settings,
        name=gateway,
        owner=name,
        root=root,
        env={**work.env, **choice.env},
        networks=names_in(work.services[name].get("networks")),
    )
    work.written |= {n: v for n, v in made.env.items() if n not in choice.env}
    work.text = compose_edit.add_service(work.text, gateway, made.block)
    work.text = vpn_settings.with_variables(work.text, gateway, choice)
    work.notes += [*made.notes, vpn_settings.forwarding(choice)]
    for privilege in definition.container.privileges:
        work.notes.append(f"{gateway} gets {privilege.value}: {privilege.why}")
    return gateway


def _choice(work: _Work) -> vpn_settings.Chosen:
    choice = vpn_settings.chosen(work.request.provider, work.request.type, work.env)
    work.written |= choice.env
    if choice.provider.note:
        work.notes.append(f"{choice.provider.name}: {choice.provider.note}")
    return choice


def _refuse_missing(work: _Work, choice: vpn_settings.Chosen) -> None:
    if choice.missing:
        raise InvalidInput(
            f"{choice.provider.name} with {choice.type} needs {', '.join(choice.missing)} in {work.stack.env_path}: "
            "without them the tunnel does not come up.",
            hint=" ".join(vpn_settings.how_to_set(work.stack.name, choice.missing)),
            code="vpn_needs_secrets",
            details={"variables": list(choice.missing), **asks(work.stack.name, choice.missing)},
        )


def _provider(work: _Work, gateway: str, *, must: bool) -> vpn_settings.Chosen | None:
    """Chooses the provider of a gateway that is there, where that is asked or it has one by ``.env``."""
    asked = work.request.provider or work.request.type
    if not vpn_settings.takes_from_env(work.services[gateway]):
        if asked:
            raise InvalidInput(
                f"{gateway}'s provider is not chosen in .env but written in the compose file by hand.",
                hint=f"Have it take ${{{vpn_settings.PROVIDER}}} and ${{{vpn_settings.TYPE}}}, then ask again.",
                code="provider_by_hand",
            )
        return None
    if not asked:
        return None
    choice = _choice(work)
    if not must:
        _refuse_missing(work, choice)
    work.text = vpn_settings.with_variables(work.text, gateway, choice)
    work.notes.append(vpn_settings.forwarding(choice))
    return choice


def _configure(work: _Work) -> Draft:
    gateway = next((n for n, s in work.services.items() if vpn.is_gateway(s)), "")
    if not gateway:
        raise NotFound(
            f"Stack {work.stack.name} has no VPN gateway.",
            hint="Name a service to send through the VPN, or add gluetun.",
            code="no_gateway",
        )
    choice = _provider(work, gateway, must=True)
    assert choice is not None  # noqa: S101
    if choice.missing:
        work.notes += ["Nothing is started yet. Set next:", *vpn_settings.how_to_set(work.stack.name, choice.missing)]
    else:
        why = f"{choice.provider.name} with {choice.type}."
        work.actions.append(EngineAction(ActionKind.UP, why, work.stack.name, (gateway,)))
        work.seen.append(gateway)
    work.risks.append(RiskReason(Risk.HIGH, f"{', '.join(vpn.clients(work.services, gateway)) or 'Nobody'} uses it."))
    summary = f"Use {choice.provider.name} ({choice.type}) for the VPN of stack {work.stack.name}"
    return _draft(work, summary, gateway, work.known(gateway))


def _off(work: _Work, name: str) -> Draft:
    service = work.known(name)
    gateway = vpn.gateway_of(service, work.lab)
    if gateway is None:
        raise InvalidInput(f"{service.where} is not behind the VPN.", code="nothing_to_do", hint="No plan is needed.")
    left = vpn_move.leave(work.text, name, gateway.name)
    work.text = left.text
    others = vpn.clients(work.services, gateway.name)
    stack = work.stack.name
    if not others and labels_of(work.services[gateway.name]).get(COMPANION_OF) == name:
        work.text = compose_edit.remove_services(vpn_move.inherit(work.text, name, gateway.name), [gateway.name])
        why = "It was made for this service alone."
        work.actions.append(EngineAction(ActionKind.REMOVE, why, stack, (name, gateway.name)))
        work.gone.append(gateway.name)
    else:
        if left.ports:
            why = "The published ports come back to it, and the gateway must let go of them first."
            work.actions.append(EngineAction(ActionKind.REMOVE, why, stack, (name, gateway.name, *others)))
        work.actions.append(
            EngineAction(ActionKind.UP, "It carries the service's route no more.", stack, (gateway.name,))
        )
        work.seen.append(gateway.name)
        if not others:
            work.notes.append(f"{gateway.name} stays, with nobody behind it; remove it with remove_service.")
    work.actions.append(EngineAction(ActionKind.UP, f"{name} gets a network of its own.", stack, (name,)))
    work.seen.append(name)
    work.risks.append(RiskReason(Risk.HIGH, f"{name} is seen with the home's own address from then on."))
    return _draft(work, f"Take {name} of stack {stack} out of the VPN", name, work.known(name))


def _names(services: Iterable[Known]) -> list[str]:
    return [s.name for s in services]


def _draft(work: _Work, summary: str, target: str, carrier: Known) -> Draft:
    stack = work.stack
    edits = [FileEdit(stack.compose_path, stack.compose_text, work.text)]
    written = {n: v for n, v in work.written.items() if work.env.get(n) != v}
    if written:
        before = stack.env_text or None
        edits.append(
            FileEdit(stack.env_path, before, env_file.set_values(before or "", written), mode=0o600, secret=True)
        )
    protected = any(work.settings.sso_middleware in v.split(",") for v in carrier.labels.values())
    hosts = sorted(carrier.hosts())[:1] if work.lab.made_from("traefik") else []
    routes = tuple(RouteCheck(target, host, sso=protected) for host in hosts)
    return Draft(
        operation="set_vpn",
        summary=summary,
        edits=tuple(edits),
        actions=tuple(work.actions),
        verification=Verification(stack.name, tuple(dict.fromkeys(work.seen)), tuple(work.gone), routes)
        if work.seen
        else Verification(),
        risks=tuple(work.risks),
        notes=tuple(work.notes),
        undo="Roll this plan back.",
        target=target,
    )
