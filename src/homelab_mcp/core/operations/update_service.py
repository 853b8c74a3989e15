"""Change a service that is there, from the catalog or written by hand: only its own lines of the file change."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.labels import SERVICE, labels_of, made_from
from homelab_mcp.core.operations import container_edit, service_parts
from homelab_mcp.core.operations.change_request import Limits, UpdateServiceRequest
from homelab_mcp.core.operations.in_which_file import Placed, in_which_file
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.route_edit import Route, say_open, say_protected
from homelab_mcp.core.operations.unheard import refuse_unheard
from homelab_mcp.core.operations.update_work import Machine, Work, change_container
from homelab_mcp.core.references import variables_in
from homelab_mcp.core.resources import overbooked
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
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


def update_service(
    snapshot: Snapshot,
    settings: LabSettings,
    request: UpdateServiceRequest,
    *,
    find: Callable[[str], ServiceDefinition],
    machine: Machine,
) -> Draft:
    """A draft that changes what was asked for, and what follows from it.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: the service and what is to change.
        find: a definition by id; raises NotFound.
        machine: what is known of the host.

    Raises:
        NotFound: no such stack or service.
        InvalidInput: what does not fit this service or host, or nothing that would change (``nothing_to_do``).
        EditRefused: its lines cannot be changed alone.
    """
    stack = service_parts.stack_of(snapshot, request.stack)
    lab = view(snapshot)

    def change(seen: StackFiles, name: str = request.service) -> tuple[Work, str]:
        services = service_parts.services_in(seen, name)
        work = Work(seen, services, name, env_file.parse(seen.env_text), seen.compose_text)
        definition = _definition(services[name], find)
        _image(work, request, definition)
        change_container(work, request, definition, machine)
        return work, _route(work, request, definition, settings, lab)

    place = in_which_file(stack, request.service, lambda seen, name: change(seen, name)[0].text, snapshot.stacks)
    seen = place.whole if place else stack
    work, host = change(seen)
    if request.port or request.health:
        refuse_unheard(seen, replace(seen, compose_text=work.text), work.name, settings.lint)
    if request.resources or request.limits != Limits():
        others = [s.data for s in lab.services if s.stack != stack.name]
        work.aside.notes += overbooked([*others, *services_of(read(work.text)).values()], machine.host)
    draft = _draft(work, settings, lab, host)
    return draft if place is None else _moved(draft, place)


def _moved(draft: Draft, place: Placed) -> Draft:
    """The draft for the stack as one file, with the edit of the file in which it is made instead of that file's."""
    rest = tuple(e for e in draft.edits if e.path != place.whole.compose_path)
    if place.before == place.after:
        # What changes is the value of a variable in the stack's .env.
        return replace(draft, edits=rest)
    edits = (FileEdit(place.path, place.before, place.after), *rest)
    return replace(draft, edits=edits, notes=(place.note, *draft.notes))


def _definition(service: Any, find: Callable[[str], ServiceDefinition]) -> ServiceDefinition | None:
    kind = labels_of(service).get(SERVICE)
    with contextlib.suppress(NotFound):
        found = find(kind) if kind else None
        # A companion's label names its owner's definition, a gateway's its own.
        if found and (made_from(labels_of(service)) or found.container.image.repository in str(service.get("image"))):
            return found
    return None


def _image(work: Work, request: UpdateServiceRequest, definition: ServiceDefinition | None) -> None:
    if not request.tag:
        return
    image = str((work.services[work.name] or {}).get("image", ""))
    with work.edit(work.name) as edit:
        old = container_edit.retag(edit, request.tag, work.aside, work.env)
    work.pulls.add(work.name)
    # A worker of the same image must be of the same version.
    for other in service_parts.companions(work.services, work.name):
        if (work.services[other] or {}).get("image") == image and "$" not in image:
            with work.edit(other) as edit:
                container_edit.retag(edit, request.tag, work.aside, work.env)
            work.pulls.add(other)
    work.done.append(f"tag {request.tag} instead of {old}")
    work.undo.append(f"the image's tag was {old}")
    if request.tag in {"latest", "stable", "nightly", "edge", "main", "master", "develop"}:
        work.aside.notes.append(f"{request.tag} is a tag that moves: a later pull may bring another version unasked.")
    if definition and definition.upgrade:
        work.aside.notes.append(definition.upgrade)
    if _major(old) != _major(request.tag):
        told = f"{work.name} changes from {old} to {request.tag}, and may change its data in a way that the former"
        work.risks.append(RiskReason(Risk.MEDIUM, f"{told} version cannot read: back it up first."))


def _major(tag: str) -> str:
    return tag.removeprefix("v").partition(".")[0]


def _route(
    work: Work,
    request: UpdateServiceRequest,
    definition: ServiceDefinition | None,
    settings: LabSettings,
    lab: LabView,
) -> str:
    """Change the route; the host it had."""
    holder = service_parts.carrier(work.services, work.name)
    with work.edit(holder) as edit:
        route = Route(edit, work.name, work.env)
        before = route.host
        if request.subdomain:
            route.check()
            taken = lab.routed(f"{request.subdomain}.{settings.domain}")
            if taken and (taken.stack, taken.name) != (work.stack.name, holder):
                raise InvalidInput(
                    f"{request.subdomain}.{settings.domain} already leads to {taken.where}.",
                    hint="Give another 'subdomain'.",
                    code="host_taken",
                )
            new = route.rehost(request.subdomain, settings)
            work.done.append(f"https://{new} instead of https://{before}")
            work.undo.append(f"it was reached at https://{before}")
            _follow(work, before, new)
        if request.port:
            route.lead_to(request.port)
            work.done.append(f"route to port {request.port}")
        if request.sso == "protect":
            route.protect(settings, definition)
            work.done.append("behind the lab's log-in")
        elif request.sso == "bypass":
            route.bypass(settings, definition, request.sso_reason)
            work.done.append("without the lab's log-in")
            told = f"{work.name} is reached without the lab's log-in: {json.dumps(request.sso_reason)}"
            work.risks.append(RiskReason(Risk.HIGH, told))
    if request.sso:
        # The service's own labels, also where another one carries its route.
        with work.edit(work.name) as edit:
            if request.sso == "protect":
                say_protected(edit)
            else:
                say_open(edit, request.sso_reason)
    if request.subdomain and holder != work.name:
        with work.edit(work.name) as edit:
            Route(edit, work.name, work.env).follow(before, request.subdomain, settings)
    return before


def _follow(work: Work, before: str, new: str) -> None:
    """Values of ``.env`` that hold the old host follow, where this service uses them."""
    for name in dict.fromkeys(variables_in(work.services[work.name])):
        value = work.env.get(name, "")
        if before in value and name not in work.aside.env:
            work.aside.env[name] = value.replace(before, new)
    work.aside.notes.append(
        f"What {work.name} keeps in its own settings or files (its base URL, links in mails) may still say {before}."
    )


def _draft(work: Work, settings: LabSettings, lab: LabView, host_before: str) -> Draft:
    stack = work.stack
    before = stack.env_text or None
    after = env_file.set_values(before or "", {k: v for k, v in work.aside.env.items() if v is not None})
    edits = [FileEdit(stack.compose_path, stack.compose_text, work.text)]
    if work.aside.env:
        edits.append(FileEdit(stack.env_path, before, after, mode=0o600, secret=True))
        # Whoever shares such a variable is made anew as well.
        work.touched |= {n for n, s in work.services.items() if set(variables_in(s)) & work.aside.env.keys()}
    edits = [e for e in edits if e.before != e.after]
    if not edits and not work.networks:
        raise InvalidInput(f"{work.name} already is as asked.", hint="No plan is needed.", code="nothing_to_do")
    bound = {n for t in work.touched for n in service_parts.bound_to(work.services, t)}
    order = [n for n in work.services if n in work.touched | bound]
    why = f"{work.name} joins it; only made where missing."
    actions = [EngineAction(ActionKind.CREATE_NETWORK, why, name=n) for n in work.networks]
    if work.pulls:
        why = "The image must be here before anything stops."
        actions.append(EngineAction(ActionKind.PULL, why, stack.name, tuple(sorted(work.pulls))))
    actions.append(EngineAction(ActionKind.UP, f"Runs {work.name} as changed.", stack.name, tuple(order)))
    core = stack.name == "core" or any(labels_of(work.services[n]).get("homelab.category") == "core" for n in order)
    risks = [RiskReason(Risk.MEDIUM, f"Recreates {', '.join(order)}."), *work.risks]
    if core:
        risks.append(RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on."))
    undo = "Roll this plan back" + (f"; {'; '.join(work.undo)}." if work.undo else ".")
    return Draft(
        operation="update_service",
        summary=f"Change {work.name} of stack {stack.name}: {'; '.join(work.done)}"[:300],
        edits=tuple(edits),
        actions=tuple(actions),
        verification=Verification(stack.name, tuple(order), routes=_checks(work, settings, lab, host_before)),
        risks=tuple(risks),
        notes=tuple(dict.fromkeys(work.aside.notes)),
        undo=undo,
        target=work.name,
    )


def _checks(work: Work, settings: LabSettings, lab: LabView, host_before: str) -> tuple[RouteCheck, ...]:
    """The route as it will be, where Traefik and the log-in it asks for are in the lab."""
    if not host_before or lab.made_from("traefik") is None:
        return ()
    holder = service_parts.carrier(work.services, work.name)
    env = {**work.env, **{k: v for k, v in work.aside.env.items() if v is not None}}
    route = Route(ServiceEdit(work.text, holder), work.name, env)
    protected = route.protected(settings)
    if not route.host or (protected and not lab.has_middleware(settings.sso_middleware)):
        return ()
    return (RouteCheck(work.name, route.host, sso=protected),)
