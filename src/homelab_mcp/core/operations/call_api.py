"""A call of a service's own API as a draft: what is sent, what is looked at after, and what takes it back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from homelab_mcp.core.redact import safe
from homelab_mcp.core.service_api import needs_answer, render, resolved
from homelab_mcp.core.url_secrets import elsewhere, secrets_of_addresses
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Risk, RiskReason
from homelab_mcp.model.service_api import Api, Follow, Operation, Reach, Step
from homelab_mcp.model.service_call import ServiceCall


def step_of(api: Api, follow: Follow, values: Mapping[str, Any], **answers: object) -> Step:
    """A follow-up with this call's values in it; ``@{answer...}`` stays until there is an answer."""
    operation = next(one for one in api.operations if one.id == follow.operation)
    late = {k: v for k, v in follow.values.items() if needs_answer({k: v})}
    now = resolved({k: v for k, v in follow.values.items() if k not in late}, values, **answers)
    return Step(
        operation=operation,
        values={**now, **late},
        expect=resolved(follow.expect, values),
        absent=follow.absent,
    )


def call_api(
    where: tuple[str, str],
    reach: Reach,
    api: Api,
    operation: Operation,
    values: Mapping[str, Any],
    *,
    before: Mapping[str, Any] | None = None,
    undo: Step | None = None,
    again: bool = False,
) -> Draft:
    """A draft that sends one write.

    Args:
        where: (stack, service).
        reach: how the service is reached.
        api: its allowed operations.
        operation: the write.
        values: its values, as given.
        before: what the check shows now, by place; None where it was not or could not be looked at.
        undo: what takes it back, where that is known by now.
        again: it takes an earlier call back.

    Raises InvalidInput (``bad_value``).
    """
    rendered = render(operation, values)
    told = elsewhere([values, before or {}, *where, operation.model_dump(mode="json")])
    # A word of the request's own choice must not blot out another part of it before the eyes of who approves.
    hidden = tuple(part for part in secrets_of_addresses([values, before or {}]) if part not in told)
    check = step_of(api, operation.check, values) if operation.check else None
    call = ServiceCall(
        stack=where[0],
        service=where[1],
        operation=operation.id,
        method=rendered.method,
        target=rendered.target,
        body=rendered.body,
        content_type=rendered.content_type,
        seconds=operation.seconds,
        reach=reach.model_dump_json(exclude_defaults=True),
        check=check.model_dump_json(exclude_defaults=True) if check else "",
        undo=undo.model_dump_json(exclude_defaults=True) if undo else "",
        no_undo="" if undo else operation.no_undo or "What it was before is not known.",
        before=_pairs(before or {}, hidden),
        expect=_pairs(check.expect, hidden) if check else (),
    )
    notes = [f"{operation.summary} Sent once: where no answer comes, it is not sent again."]
    if check is not None:
        notes.append(f"After it, {check.operation.id} is read to see the outcome.")
    if carrying := [name for name, value in values.items() if set(hidden).intersection(secrets_of_addresses(value))]:
        notes.append(
            f"An address in {', '.join(carrying)} has a log-in or a key in it. It is sent and not shown here; whoever "
            "asked has seen it."
        )
    return Draft(
        operation="call_service_api",
        summary=f"{'Take back in' if again else 'Ask'} {where[0]}/{where[1]}: {operation.id}{_short(values, hidden)}",
        edits=(),
        actions=(
            EngineAction(
                ActionKind.CALL, operation.summary, where[0], (where[1],), safe(f"{call.method} {call.target}", hidden)
            ),
        ),
        risks=(RiskReason(Risk[operation.risk.upper()], f"{where[1]}: {operation.summary}"),),
        notes=tuple(notes),
        undo=f"{undo.operation.id} takes it back." if undo else f"Cannot be taken back from here: {call.no_undo}",
        target=where[1],
        secrets=hidden,
        call=call,
    )


def _pairs(values: Mapping[str, Any], hidden: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    # Masked before it is cut: half a secret is found by nobody.
    return tuple((path, safe(json.dumps(value, ensure_ascii=False), hidden)[:300]) for path, value in values.items())


def _short(values: Mapping[str, Any], hidden: tuple[str, ...]) -> str:
    told = ", ".join(f"{k} {safe(str(v), hidden)[:60]}" for k, v in list(values.items())[:4] if v is not None)
    return f" ({told})" if told else ""
