"""The core stack as one plan, from the name that leads here to the dashboard; what is there already stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from homelab_mcp.core import env_file
from homelab_mcp.core.after import reader_after, stacks_after
from homelab_mcp.core.labels import SERVICE
from homelab_mcp.core.operations.lab_view import Known, LabView, view
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.core.operations.setup_request import CORE_PARTS, CorePart, CoreRequest
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL, LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, RiskReason, RouteCheck, Verification

Read = Callable[[str], str | None]
DUCKDNS_ZONE = ".duckdns.org"
DUCKDNS_NAMES = "DUCKDNS_SUBDOMAINS"


class Add(Protocol):
    """Adds one service, as :func:`add_service` does, to a lab as it would be by then."""

    def __call__(
        self, snapshot: Snapshot, request: AddServiceRequest, *, read: Read, alongside: Collection[str]
    ) -> Draft:
        """The draft of that one service."""
        ...


def core_stack(
    snapshot: Snapshot,
    settings: LabSettings,
    request: CoreRequest,
    *,
    find: Callable[[str], ServiceDefinition | None],
    add: Add,
    read: Read,
) -> Draft:
    """A draft that adds every part of the core that is wanted and missing.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: what to leave out.
        find: a definition by id, None where the catalog has none.
        add: adds one service.
        read: the text of a file of the lab, or None.

    Raises:
        InvalidInput: nothing is missing (``nothing_to_do``), or what adding a part raises (``missing_input`` for
            values that only a person has).
    """
    lab = view(snapshot)
    wanted, left_out = _wanted(request, settings, lab, find)
    if not wanted:
        raise InvalidInput(
            "Every wanted part of the core is there already.", code="nothing_to_do", hint="See `homelab-mcp status`."
        )
    edits = _given(request, find("traefik"), read)
    drafts: list[Draft] = []
    for part in wanted:
        after = replace(snapshot, stacks=stacks_after(snapshot.stacks, tuple(edits.values())))
        one = AddServiceRequest(
            service=part, stack=request.stacks.get(part), options=_options(part, request, settings, find(part))
        )
        draft = add(after, one, read=reader_after(read, tuple(edits.values())), alongside=wanted)
        for edit in draft.edits:
            old = edits.get(edit.path)
            edits[edit.path] = replace(old, after=edit.after, secret=old.secret or edit.secret) if old else edit
        drafts.append(draft)
    final = view(replace(snapshot, stacks=stacks_after(snapshot.stacks, tuple(edits.values()))))
    verifications = _verifications(drafts, final, settings)
    return Draft(
        operation="core_stack",
        summary=f"Set up the core: {', '.join(d.target for d in drafts)}",
        edits=tuple(edits.values()),
        actions=_in_order(drafts),
        verification=verifications[0],
        also_verify=verifications[1:],
        risks=_once(r for d in drafts for r in d.risks),
        notes=tuple(dict.fromkeys((*left_out, *(n for d in drafts for n in d.notes)))),
        undo="Roll this plan back: all of it goes again, and its data folders stay.",
        target="core",
        secrets=(*request.given.values(), *(s for d in drafts for s in d.secrets)),
    )


def _wanted(
    request: CoreRequest, settings: LabSettings, lab: LabView, find: Callable[[str], ServiceDefinition | None]
) -> tuple[list[CorePart], list[str]]:
    wanted: list[CorePart] = []
    notes = []
    for part in CORE_PARTS:
        there = lab.on(LOCAL).made_from(part)
        if there:
            notes.append(f"{there.where} is there already and stays as it is.")
        elif part in request.without:
            notes.append(f"Without {part}, as asked.")
        elif part == "duckdns" and not settings.domain.endswith(DUCKDNS_ZONE):
            notes.append(
                f"No DNS updater: {settings.domain} is not at DuckDNS. Its *.{settings.domain} must lead here."
            )
        elif find(part) is None:
            notes.append(f"The catalog has no {part}, so it is left out.")
        else:
            wanted.append(part)
    return wanted, notes


def _given(request: CoreRequest, traefik: ServiceDefinition | None, read: Read) -> dict[str, FileEdit]:
    """What a person gave goes into the .env of the stack that the proxy is in."""
    if not request.given:
        return {}
    stack = request.stacks.get("traefik") or (traefik.stack if traefik else "core")
    path, before = f"{stack}/.env", read(f"{stack}/.env")
    return {path: FileEdit(path, before, env_file.set_values(before or "", request.given), mode=0o600, secret=True)}


def _options(
    part: CorePart, request: CoreRequest, settings: LabSettings, definition: ServiceDefinition | None
) -> ServiceOptions:
    declared = {v.name for v in definition.variables} if definition else set()
    variables = {}
    if DUCKDNS_NAMES in declared and DUCKDNS_NAMES not in request.given:
        variables[DUCKDNS_NAMES] = duckdns_name(settings.domain)
    return ServiceOptions(name=request.names.get(part), variables=variables)


def duckdns_name(domain: str) -> str:
    """DuckDNS gives one label below its own domain; everything left of it leads to the same address."""
    return domain.removesuffix(DUCKDNS_ZONE).rpartition(".")[2]


def _in_order(drafts: Sequence[Draft]) -> tuple[EngineAction, ...]:
    """Networks and images first, then one start after the other."""
    kinds = (ActionKind.CREATE_NETWORK, ActionKind.PULL, ActionKind.UP)
    found: dict[tuple[str, ...], EngineAction] = {}
    for kind in kinds:
        for action in (a for d in drafts for a in d.actions if a.kind is kind):
            found.setdefault((str(kind), action.name, action.stack, *action.services), action)
    return tuple(found.values())


def _verifications(drafts: Sequence[Draft], final: LabView, settings: LabSettings) -> tuple[Verification, ...]:
    """Per stack: every container, and the routes as they are once all is there."""
    stacks = dict.fromkeys(d.verification.stack for d in drafts)
    proxy = final.made_from("traefik") is not None
    found = []
    for stack in stacks:
        services = tuple(s for d in drafts if d.verification.stack == stack for s in d.verification.services)
        routes = [
            route
            for known in final.services
            if proxy and known.stack == stack and known.name in services
            for route in _routes(known, final, settings)
        ]
        found.append(Verification(stack=stack, services=services, routes=tuple(routes)))
    # Routes are asked once everything runs: the log-in in front of the first is among the last to start.
    return (*(replace(v, routes=()) for v in found), *(Verification(routes=v.routes) for v in found if v.routes))


def _routes(known: Known, final: LabView, settings: LabSettings) -> list[RouteCheck]:
    protected = known in final.behind(settings.sso_middleware)
    if SERVICE not in known.labels or (protected and not final.has_middleware(settings.sso_middleware)):
        return []
    return [RouteCheck(known.name, host, sso=protected) for host in sorted(known.hosts())]


def _once(reasons: Iterable[RiskReason]) -> tuple[RiskReason, ...]:
    return tuple(dict.fromkeys(reasons))
