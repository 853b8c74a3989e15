"""How a call of a service's API is shown to whoever approves it: what is sent, and what is to be another after it."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.redact import clean, safe
from homelab_mcp.model.plan import PlanState
from homelab_mcp.model.service_call import ServiceCall

BODY_SHOWN = 2_000


def action_text(call: ServiceCall, secrets: Iterable[str] = ()) -> str:
    """What is sent, on one line; ``secrets`` are the plan's."""
    if not call.body:
        return "nothing is sent with it but the key"
    body = " ".join(safe(call.body, secrets).split())
    cut = body if len(body) <= BODY_SHOWN else f"{body[:BODY_SHOWN]}… ({len(body)} characters)"
    return f"sent with it ({call.content_type}): {cut}"


def call_text(call: ServiceCall, secrets: Iterable[str] = ()) -> str:
    """The call as a diff: the request as lines that come, and what was seen before against what is expected.

    ``secrets`` are the plan's: what of the values only the service is to see.
    """
    lines = [f"--- {call.where}: its API", f"+++ {call.where}: {call.operation}", f"+ {call.method} {call.target}"]
    lines += [f"+ {line}" for line in clean(call.body).splitlines()]
    then = dict(call.expect)
    for path, value in call.before:
        lines.append(f"- {path}: {value}" if then.get(path, value) != value else f"  {path}: {value}")
    was = dict(call.before)
    lines += [f"+ {path}: {value}" for path, value in call.expect if was.get(path) != value]
    return safe("\n".join(lines), secrets) + "\n"


def after_call(call: ServiceCall, state: PlanState) -> str:
    """What to do once it has ended, where that is another thing than after other plans; "" else."""
    if state is PlanState.DONE and not call.undo:
        return f"Done. It cannot be taken back from here: {call.no_undo}"
    if state is PlanState.FAILED:
        return "Look at the service with a read operation of call_service_api. Nothing is sent again by itself."
    return ""
