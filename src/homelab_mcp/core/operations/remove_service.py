"""Remove a service and what was added with it; its data stays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from homelab_mcp.core import compose_edit
from homelab_mcp.core.labels import COMPANION_OF, SERVICE, labels_of
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.references import variables_in
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification


def remove_service(
    snapshot: Snapshot,
    settings: LabSettings,
    request: RemoveServiceRequest,
    *,
    find: Callable[[str], ServiceDefinition],
) -> Draft:
    """A draft that removes a service and the companions that were added with it.

    Data folders, named volumes and ``.env`` stay. The last service of a stack takes the compose file along.

    Raises:
        NotFound: no such stack or service.
        InvalidInput: it is a companion (``is_companion``), or others need it (``has_dependents``).
        EditRefused: it cannot be cut out of the file alone.
    """
    stack = service_parts.stack_of(snapshot, request.stack)
    services = service_parts.services_in(stack, request.service)
    going = [request.service, *service_parts.companions(services, request.service)]
    _refuse_needed(services, going, request.service)
    last = len(going) == len(services)
    after = None if last else compose_edit.remove_services(stack.compose_text, going)
    return Draft(
        operation="remove_service",
        summary=f"Remove {request.service} from stack {stack.name}",
        edits=(FileEdit(stack.compose_path, stack.compose_text, after),),
        actions=(_action(stack, going, last),),
        verification=Verification(stack=stack.name, gone=tuple(going)),
        risks=tuple(_risks(services[request.service], stack.name, going, find, settings, view(snapshot))),
        notes=tuple(_notes(stack, services, going, last)),
        undo=f"Roll this plan back; the data of {request.service} is still there.",
        target=request.service,
    )


def _action(stack: StackFiles, going: list[str], last: bool) -> EngineAction:
    why = "The stack's last service goes." if last else f"{going[0]} leaves the stack."
    return EngineAction(ActionKind.REMOVE, why, stack.name, tuple(going))


def _refuse_needed(services: Mapping[str, Any], going: list[str], service: str) -> None:
    owner = labels_of(services[service]).get(COMPANION_OF)
    if owner in services:
        raise InvalidInput(
            f"{service} belongs to {owner} and goes with it.", hint=f"Remove {owner}.", code="is_companion"
        )
    needing = [n for n, s in services.items() if n not in going and set(going) & set(service_parts.needs(s))]
    if needing:
        raise InvalidInput(
            f"{service} is needed by {', '.join(needing)}.",
            hint="Remove those first.",
            code="has_dependents",
            details={"dependents": needing},
        )


def _risks(
    service: Any,
    stack: str,
    going: list[str],
    find: Callable[[str], ServiceDefinition],
    settings: LabSettings,
    lab: LabView,
) -> Iterator[RiskReason]:
    yield RiskReason(Risk.MEDIUM, f"Stops and removes {', '.join(going)}.")
    labels = labels_of(service)
    category = labels.get("homelab.category", "")
    if made_from := labels.get(SERVICE):
        with contextlib.suppress(NotFound):
            category = find(made_from).category
    if stack == "core" or category == "core":
        yield RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on.")
    name = settings.sso_middleware.partition("@")[0]
    if any(k.startswith(f"traefik.http.middlewares.{name}.") for k in labels):
        others = [s.where for s in lab.behind(settings.sso_middleware) if s.name not in going]
        if others:
            yield RiskReason(Risk.HIGH, f"These stop answering without the log-in: {', '.join(others)}.")


def _notes(stack: StackFiles, services: Mapping[str, Any], going: list[str], last: bool) -> Iterator[str]:
    folders, volumes = _data_of(services, going)
    if folders:
        yield f"Data stays in {', '.join(f'{stack.name}/{f}' for f in folders)}."
    if volumes:
        yield f"Named volumes stay: {', '.join(volumes)}."
    rest = {n for name, s in services.items() if name not in going for n in variables_in(s)}
    gone = {n for name in going for n in variables_in(services[name])} - rest
    if gone and stack.env_text:
        yield f"Values in {stack.env_path} stay, though nothing uses them now: {', '.join(sorted(gone))}."
    if last:
        yield f"It is the stack's last service, so {stack.compose_path} is deleted; the folder and its .env stay."


def _data_of(services: Mapping[str, Any], going: list[str]) -> tuple[list[str], list[str]]:
    folders: list[str] = []
    volumes: list[str] = []
    for name in going:
        service = services[name] if isinstance(services[name], Mapping) else {}
        for volume in service.get("volumes") or ():
            source = str(volume.get("source", "")) if isinstance(volume, Mapping) else str(volume).partition(":")[0]
            if source.startswith("./"):
                folders.append(source.removeprefix("./"))
            elif source[:1] not in {"", ".", "/", "~", "$"}:
                volumes.append(source)
    return list(dict.fromkeys(folders)), list(dict.fromkeys(volumes))
