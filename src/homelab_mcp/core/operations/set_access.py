"""Change who may pass to services: log-in, a second factor, groups, or nobody asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from homelab_mcp.core.access import routers_of
from homelab_mcp.core.access_labels import Target, access_now, definition_of, load_rules, relabel, targets_of
from homelab_mcp.core.authelia import Portal, portal_of, the_portal
from homelab_mcp.core.labels import Access
from homelab_mcp.core.operations.in_its_files import in_its_files
from homelab_mcp.core.operations.lab_view import Known, LabView, view
from homelab_mcp.core.operations.request import GroupName, _Request
from homelab_mcp.core.users_file import USERS, members
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, RouteCheck, Verification

EVERYONE = "everyone"


class SetAccessRequest(_Request):
    """What ``services`` are to ask of a visitor.

    A service is its compose name or ``stack/name``; ``stack:NAME`` and ``category:NAME`` mean all with a route.
    """

    services: tuple[Annotated[str, Field(min_length=1, max_length=140)], ...] = Field(min_length=1, max_length=50)
    policy: Literal["keep", "one_factor", "two_factor", "bypass"] = "keep"
    reason: str = Field(default="", max_length=200, description="Why nobody is asked; needed with bypass.")
    groups: tuple[GroupName, ...] = Field(
        default=(), max_length=20, description="Only these may pass; 'everyone' lifts that; empty: as it is."
    )


@in_its_files
def set_access(
    snapshot: Snapshot,
    settings: LabSettings,
    request: SetAccessRequest,
    *,
    find: Callable[[str], ServiceDefinition],
    read: Callable[[str], str | None],
) -> Draft:
    """A draft that changes the labels of the services; Authelia's rules follow from them by themselves.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: which services, and what they are to ask.
        find: a definition by id; raises NotFound.
        read: the text of a file of the lab, or None.

    Raises:
        NotFound: no such service, or the lab has no log-in (``no_sign_on``).
        InvalidInput: a service without a route (``no_route``), the log-in's own page (``sso_loop``), a bypass without a
            reason (``reason_needed``), groups with a bypass (``groups_unused``), or nothing to do.
        EditRefused: labels that cannot be changed alone.
    """
    lab = view(snapshot)
    _check(request)
    portal = portal_of(lab)
    needs_rules = request.policy == "two_factor" or bool(set(request.groups) - {EVERYONE})
    if needs_rules:
        portal = the_portal(lab)
    texts = {s.name: s.compose_text for s in snapshot.stacks}
    touched: dict[tuple[str, str], None] = {}
    risks: list[RiskReason] = []
    routes: dict[str, list[RouteCheck]] = {}
    for target in targets_of(lab, request.services):
        wanted = _wanted(target, request, settings, find)
        before = access_now(target, settings)
        changed = relabel(texts, target, wanted, settings, find)
        touched |= dict.fromkeys(changed)
        risks += _risks(target, before, wanted)
        hosts = dict.fromkeys(h for _, r in target.routers for h in r.hosts if not r.narrow and "$" not in h)
        checks = [RouteCheck(target.service.name, host, sso=wanted.protected) for host in hosts]
        routes.setdefault(target.service.stack, []).extend(checks if changed else ())
    if needs_rules and portal is not None and not portal.loads_access:
        texts[portal.service.stack] = load_rules(texts[portal.service.stack], portal)
        touched[portal.service.stack, portal.service.name] = None
    edits = tuple(
        FileEdit(s.compose_path, s.compose_text, texts[s.name])
        for s in snapshot.stacks
        if texts[s.name] != s.compose_text
    )
    if not edits:
        raise InvalidInput("The services already are as asked.", hint="No plan is needed.", code="nothing_to_do")
    verifications = _verifications(touched, routes if lab.made_from("traefik") else {})
    return Draft(
        operation="set_access",
        summary=_summary(request),
        edits=edits,
        actions=tuple(
            EngineAction(ActionKind.UP, "Traefik and the access rules read labels from the container.", stack, services)
            for stack, services in _by_stack(touched).items()
        ),
        verification=verifications[0],
        also_verify=verifications[1:],
        risks=tuple(risks),
        notes=tuple(_notes(request, portal, settings, lab, read)),
        undo="Roll this plan back.",
        target=", ".join(request.services)[:80],
    )


def _check(request: SetAccessRequest) -> None:
    if request.policy == "keep" and not request.groups:
        raise InvalidInput("Neither a policy nor groups were given.", hint="Give one.", code="nothing_to_do")
    if request.policy == "bypass" and set(request.groups) - {EVERYONE}:
        raise InvalidInput(
            "Without log-in nobody's groups are known.",
            hint="Leave out the groups or the bypass.",
            code="groups_unused",
        )
    if EVERYONE in request.groups and len(request.groups) > 1:
        raise InvalidInput(f"'{EVERYONE}' stands alone.", hint="Name groups, or everyone.", code="groups_unused")
    if any(ord(c) < 32 or ord(c) == 127 for c in request.reason):
        raise InvalidInput("The reason holds a control character.", hint="Give it as one plain line.", code="bad_value")


def _wanted(
    target: Target, request: SetAccessRequest, settings: LabSettings, find: Callable[[str], ServiceDefinition]
) -> Access:
    now = access_now(target, settings)
    policy = request.policy
    if policy == "keep":
        policy = "two_factor" if now.two_factor else "one_factor" if now.protected else "bypass"
    if policy == "bypass":
        if request.policy == "keep" and set(request.groups) - {EVERYONE}:
            raise InvalidInput(
                f"{target.service.where} asks for no log-in, so nobody's groups are known.",
                hint="Give a policy too: one_factor or two_factor.",
                code="groups_unused",
            )
        reason = request.reason.strip() or (now.why if not now.protected else "") or _own_reason(target.service, find)
        if not reason:
            raise InvalidInput(
                f"{target.service.where} would be open to everyone; going without log-in needs a reason.",
                hint="Give 'reason' in a sentence.",
                code="reason_needed",
            )
        return Access("", protected=False, why=reason)
    groups = () if request.groups == (EVERYONE,) else request.groups or now.groups
    return Access("", protected=True, two_factor=policy == "two_factor", groups=groups)


def _own_reason(service: Known, find: Callable[[str], ServiceDefinition]) -> str:
    """Why a definition itself goes without log-in; "" where it does not."""
    definition = definition_of(service, find)
    route = definition.route if definition else None
    return route.sso.why if route and route.sso.policy == "bypass" else ""


def _by_stack(touched: Mapping[tuple[str, str], None]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for stack, service in touched:
        found.setdefault(stack, []).append(service)
    return {stack: tuple(services) for stack, services in found.items()}


def _verifications(
    touched: Mapping[tuple[str, str], None], routes: Mapping[str, list[RouteCheck]]
) -> tuple[Verification, ...]:
    return tuple(
        Verification(stack=stack, services=services, routes=tuple(routes.get(stack, ())))
        for stack, services in _by_stack(touched).items()
    )


def _risks(target: Target, before: Access, wanted: Access) -> Iterator[RiskReason]:
    where = target.service.where
    # Quoted, as the words may be a model's.
    if before.protected and not wanted.protected:
        yield RiskReason(Risk.HIGH, f"{where} is reached without the lab's log-in: {json.dumps(wanted.why)}")
    elif before.two_factor and not wanted.two_factor:
        yield RiskReason(Risk.HIGH, f"{where} asks for no second factor any more.")
    elif before.groups and not set(wanted.groups) <= set(before.groups):
        yield RiskReason(Risk.HIGH, f"{where} lets more groups pass.")
    elif before.groups and not wanted.groups:
        yield RiskReason(Risk.HIGH, f"{where} lets everyone pass who has logged in.")
    else:
        yield RiskReason(Risk.MEDIUM, f"Recreates {where}.")


def _summary(request: SetAccessRequest) -> str:
    words = {
        "keep": "",
        "one_factor": "ask for log-in",
        "two_factor": "ask for log-in with a second factor",
        "bypass": "open without log-in",
    }[request.policy]
    if request.groups:
        who = EVERYONE if request.groups == (EVERYONE,) else f"groups {', '.join(request.groups)}"
        words = f"{words}, for {who}" if words else f"for {who}"
    return f"Access to {', '.join(request.services)}: {words}"


def _notes(
    request: SetAccessRequest,
    portal: Portal | None,
    settings: LabSettings,
    lab: LabView,
    read: Callable[[str], str | None],
) -> Iterator[str]:
    if request.policy not in ("bypass", "keep") and not lab.has_middleware(settings.sso_middleware):
        yield f"The lab has no log-in service ({settings.sso_middleware}) yet; Traefik serves no such route until then."
    if portal is None:
        return
    known = members(read(portal.path(USERS)) or "")
    for group in request.groups:
        if group != EVERYONE and not known.get(group):
            yield f"Nobody is in the group {group} yet: add people with manage_user."
    if request.policy == "two_factor":
        host = next((h for r in routers_of(portal.service.labels) for h in r.hosts), f"auth.{settings.domain}")
        yield f"Everyone sets up their second factor once, at https://{host}/settings (docs/sign-on.md)."
    if not portal.loads_access and (request.policy == "two_factor" or set(request.groups) - {EVERYONE}):
        yield "Authelia loads access-control.yml from now on; rules in configuration.yml stay in force, before it."
