"""From a wish that a service's own API fulfils to a stored plan; and one that takes an earlier call back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homelab_mcp.core.operations.call_api import call_api, step_of
from homelab_mcp.core.service_answer import data_of
from homelab_mcp.core.service_api import at, needs_answer, operation_of, render, resolved, taken
from homelab_mcp.core.service_auth import keys_of
from homelab_mcp.model.errors import InvalidInput, ServiceFailed
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.model.service_api import Operation, Step
from homelab_mcp.ports import Lab
from homelab_mcp.queries.service_api import Target, ask, target_of
from homelab_mcp.queries.service_call import environment_of, running
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import lint_of


def propose_api_call(
    lab: Lab, service: str, stack: str, operation: str, values: Mapping[str, Any], requester: Requester
) -> Plan:
    """A plan that sends one write of a service's API.

    Raises NotFound, InvalidInput (``operation_unknown``, ``bad_value``, ``api_key_missing``, ``no_plan_needed``),
    EngineFailed (``not_running``), EngineUnavailable, ServiceFailed.
    """
    lab = lab.whole
    target = target_of(lab, service, stack)
    wanted = operation_of(target.api, operation)
    if not wanted.writes:
        raise InvalidInput(
            f"{operation} only reads, so it needs no plan.", hint="Call it without one.", code="no_plan_needed"
        )
    return _plan(lab, target, wanted, values, requester)


def propose_call_back(lab: Lab, plan: Plan, requester: Requester) -> Plan:
    """A plan that takes an earlier call back by the operation that its entry named.

    Raises InvalidInput (``not_undoable``) with why there is none.
    """
    call = plan.draft.call
    if call is None or not call.undo:
        raise InvalidInput(
            f"This call cannot be taken back: {call.no_undo if call else ''}",
            hint="Look at the service, and call what puts it right.",
            code="not_undoable",
        )
    target = target_of(lab, call.service, call.stack)
    step = Step.model_validate_json(call.undo)
    values = resolved(step.values, {}, answer=answer_of(lab, plan.id))
    return _plan(lab, target, operation_of(target.api, step.operation.id), values, requester, again=True)


def answer_of(lab: Lab, plan_id: str) -> dict[str, Any]:
    """What an applied call's undo needs of its answer, as the journal kept it."""
    for entry in reversed(lab.journal.entries(of=("apply_done",))):
        data = entry.get("data") or {}
        if entry.get("event") == "apply_done" and data.get("plan") == plan_id:
            found = data.get("answer") or {}
            return _nested(found) if isinstance(found, dict) else {}
    return {}


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *steps, last = path.split(".")
        place = tree
        for step in steps:
            place = place.setdefault(step, {})
        place[last] = value
    return tree


def _plan(
    lab: Lab,
    target: Target,
    wanted: Operation,
    values: Mapping[str, Any],
    requester: Requester,
    *,
    again: bool = False,
) -> Plan:
    values = taken(wanted, values)
    render(wanted, values)
    place = (target.stack, target.service)
    if lab.files_only:
        raise InvalidInput(
            "A service is asked in its container, and Docker is left out (files only).",
            hint="Run without --files-only.",
            code="plan_needs_docker",
        )
    # Said before a person is asked: whoever approved would meet it only when the plan is applied.
    keys_of(target.reach, environment_of(lab.files, target.stack), *place)
    running(lab.engine, *place)
    seen = _before(lab, target, wanted, values)
    before, undo = _watched(wanted, seen), None
    if wanted.undo is not None:
        try:
            undo = step_of(target.api, wanted.undo, values, **({"before": seen} if seen is not None else {}))
        except InvalidInput:
            undo = None
    draft = call_api(place, target.reach, target.api, wanted, values, before=before, undo=undo, again=again)
    snapshot = planner(lab).snapshot(containers=True)
    return planner(lab).make(draft, snapshot, requester, lint_of(lab))


def _before(lab: Lab, target: Target, wanted: Operation, values: Mapping[str, Any]) -> Any:
    """What the check shows now; None where it waits for the answer, or what it names is not there yet."""
    if wanted.check is None or needs_answer(wanted.check.values):
        return None
    step = step_of(target.api, wanted.check, values)
    try:
        answer, _ = ask(lab, target, step.operation, step.values)
    except ServiceFailed as error:
        if error.details.get("status") == 404:
            return None
        raise
    return data_of(answer.headers.get("content-type", ""), answer.body)


def _watched(wanted: Operation, seen: Any) -> dict[str, Any]:
    if wanted.check is None or seen is None:
        return {}
    found = {path: at(seen, path) for path in wanted.check.expect}
    return {path: value for path, value in found.items() if not isinstance(value, (dict, list)) and value is not None}
