"""What of services' own APIs may be called in this lab, and the reads among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.lazy_needs import definition_of
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.service_answer import data_of, shaped
from homelab_mcp.core.service_api import operation_of, render
from homelab_mcp.core.service_auth import keys_of, variable_of
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound, ServiceFailed
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.service_api import Api, Operation, Parameter, Reach
from homelab_mcp.model.service_http import HttpAnswer
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import find_in, read_stacks
from homelab_mcp.queries.service_call import conversation, environment_of, hiding, running


@dataclass(frozen=True, slots=True)
class Target:
    """A service of the lab with the API that its catalog entry allows."""

    stack: str
    service: str
    definition: ServiceDefinition
    api: Api

    @property
    def reach(self) -> Reach:
        """How it is reached."""
        route = self.definition.route
        port = self.api.port or (route.port if route else 0)
        return Reach(
            port=port,
            host=self.api.host,
            headers=self.api.headers,
            failed=self.api.failed,
            auth=self.api.auth,
            definition=self.definition.id,
        )


def target_of(lab: Lab, service: str, stack: str = "") -> Target:
    """The service that is meant, with its API.

    Raises NotFound, InvalidInput (``no_api``; ``api_untrusted`` for an entry of another's catalog).
    """
    stacks = read_stacks(lab.files)
    place, name = find_in(stacks, service, stack)
    known = next((k for k in view(Snapshot(stacks, None)).services if (k.stack, k.name) == (place, name)), None)
    definition = definition_of(known, lab.catalog.get) if known is not None else None
    if definition is None or definition.api is None:
        raise InvalidInput(
            f"No API of {place}/{name} is known here.",
            hint="Ask without a service for those that are; a catalog entry of the lab's own may allow more.",
            code="no_api",
        )
    if lab.catalog.catalog_of(definition.id):
        raise InvalidInput(
            f"What {definition.id}'s entry allows is from another's catalog, and nobody here has looked at it.",
            hint="A person who trusts it copies the entry to catalog/ of the lab.",
            code="api_untrusted",
        )
    return Target(place, name, definition, definition.api)


def services_with_api(lab: Lab) -> dict[str, Any]:
    """Every service of the lab whose API may be called, and whether its key is set."""
    rows = []
    for known in view(Snapshot(read_stacks(lab.files), None)).services:
        definition = definition_of(known, lab.catalog.get)
        if definition is None or definition.api is None or lab.catalog.catalog_of(definition.id):
            continue
        target = Target(known.stack, known.name, definition, definition.api)
        rows.append({"service": known.where, "operations": len(target.api.operations), "key": _key(lab, target)})
    return {"services": rows, "total": len(rows)}


def operations(lab: Lab, service: str, stack: str = "") -> dict[str, Any]:
    """What may be asked of one service. Raises what ``target_of`` raises."""
    target = target_of(lab, service, stack)
    return {
        "service": f"{target.stack}/{target.service}",
        "key": _key(lab, target),
        "operations": [_row(one) for one in target.api.operations],
        "documentation": target.api.documentation,
    }


def _key(lab: Lab, target: Target) -> str:
    auth = target.api.auth
    if auth.key is None:
        return "none needed"
    name = variable_of(auth.key, target.definition.id, target.service)
    try:
        keys_of(target.reach, environment_of(lab.files, target.stack), target.stack, target.service)
    except InvalidInput as error:
        return error.hint
    return f"{name} is set" if name in environment_of(lab.files, target.stack) else f"{name} is not set; optional"


def _row(one: Operation) -> dict[str, Any]:
    row: dict[str, Any] = {"id": one.id, "does": one.summary}
    if one.writes:
        row["plan"] = f"{one.risk} risk"
    if one.parameters:
        row["values"] = {name: _told(parameter) for name, parameter in one.parameters.items()}
    return row


def _told(parameter: Parameter) -> str:
    words = f"{parameter.type}, {parameter.description}"
    if parameter.choices:
        words += f" (one of {', '.join(parameter.choices)})"
    if parameter.default is not None:
        return f"{words}; {parameter.default} when left out"
    return words if parameter.required else f"{words}; may be left out"


def read(
    lab: Lab, target: Target, operation: Operation, values: Mapping[str, Any], *, limit: int = 20, offset: int = 0
) -> dict[str, Any]:
    """What a read of a service answers now, cut and masked.

    Raises InvalidInput, NotFound, ServiceFailed, EngineFailed, EngineUnavailable.
    """
    hide = lab.redactor.safe
    answer, secrets = ask(lab, target, operation, values)
    data = data_of(answer.headers.get("content-type", ""), answer.body)
    return shaped(data, operation, hiding(hide, secrets), limit=limit, offset=offset)


def ask(
    lab: Lab, target: Target, operation: Operation, values: Mapping[str, Any]
) -> tuple[HttpAnswer, tuple[str, ...]]:
    """The whole answer of a read, and what must not be seen of it."""
    if operation.writes:
        raise InvalidInput(f"{operation.id} changes something, so it needs a plan.", code="needs_plan")
    rendered = render(operation, values)
    if lab.files_only:
        raise InvalidInput(
            "A service is asked in its container, and Docker is left out (files only).",
            hint="Run without --files-only.",
            code="plan_needs_docker",
        )
    place = (target.stack, target.service)
    container = running(lab.engine, *place)
    with conversation(lab.service_calls, lab.files, container, target.reach, place) as talk:
        answer = talk.send(rendered, operation.seconds)
        if not talk.agreed(answer):
            raise talk.refusal(answer)
        if answer.cut:
            raise ServiceFailed(
                f"{target.stack}/{target.service} answers more than can be read.",
                hint="Ask for less: another operation or narrower values.",
                code="answer_too_large",
            )
        return answer, talk.secrets


def called(
    lab: Lab,
    service: str,
    stack: str = "",
    operation: str = "",
    values: Mapping[str, Any] | None = None,
    *,
    limit: int = 20,
    offset: int = 0,
) -> dict[str, Any] | Target:
    """What there is, or what a read answers; the target where the operation is a write and needs a plan."""
    if not service:
        if operation:
            raise NotFound("Which service?", hint="Name one of those that are listed without any argument.")
        return services_with_api(lab)
    # A service is asked where it is, by the ways that the whole lab knows.
    lab = lab.whole
    if not operation:
        return operations(lab, service, stack)
    target = target_of(lab, service, stack)
    wanted = operation_of(target.api, operation)
    if wanted.writes:
        return target
    answer = read(lab, target, wanted, values or {}, limit=limit, offset=offset)
    return {"service": f"{target.stack}/{target.service}", "operation": wanted.id, "untrusted": True, **answer}
