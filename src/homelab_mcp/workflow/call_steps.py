"""The step of an apply that sends a call to a service's API: once, looked at, and taken back where that is known.

What nobody can tell is told so. A call whose answer did not come is never sent again: it may have been done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.redact import safe
from homelab_mcp.core.service_answer import data_of, plain, shaped
from homelab_mcp.core.service_api import Rendered, at, needs_answer, render, resolved
from homelab_mcp.model.errors import HomelabError, InvalidInput, ServiceFailed
from homelab_mcp.model.plan import Evidence, Plan
from homelab_mcp.model.service_api import Reach, Step
from homelab_mcp.model.service_call import ServiceCall
from homelab_mcp.model.service_http import HttpAnswer
from homelab_mcp.ports import Clock, Engine, Files, ServiceCalls
from homelab_mcp.queries.service_call import Conversation, conversation, running
from homelab_mcp.workflow.apply_ends import NotVerified

LOOK_SECONDS = 20.0
"""How long the outcome is looked for: most services answer before they have done it."""

_POLL = 1.0
_SHOWN = 1_200


class CallUnknown(HomelabError):
    """Nobody knows whether the service did it; ``evidence`` says what was seen."""

    default_code = "call_outcome_unknown"

    def __init__(self, message: str, evidence: tuple[Evidence, ...], code: str | None = None) -> None:
        super().__init__(
            message,
            hint="Look with a read operation of call_service_api before anything is asked again.",
            code=code,
        )
        self.evidence = evidence


@dataclass(frozen=True, slots=True)
class Called:
    """A call that was answered with yes: what was seen, the whole answer, and what an undo needs of it."""

    evidence: tuple[Evidence, ...]
    answer: Any = None
    kept: dict[str, Any] = field(default_factory=dict)


class CallNotSeen(NotVerified):
    """The service said yes, and the look does not show it; ``called`` is what it said."""

    def __init__(self, called: Called) -> None:
        super().__init__(called.evidence)
        self.called = called


@dataclass(frozen=True, slots=True)
class Caller:
    """Sends a plan's call with a lab's parts."""

    calls: ServiceCalls | None
    engine: Engine
    files: Files
    clock: Clock

    def carry_out(self, plan: Plan) -> Called:
        """Send the call, once, and look at its outcome.

        Raises:
            ServiceFailed, EngineFailed, EngineUnavailable, InvalidInput: it was not sent, or the service said no.
            CallUnknown: it was sent, and nobody knows what became of it.
            CallNotSeen: the service said yes, and the look does not show it.
        """
        call = plan.draft.call
        if call is None or self.calls is None:
            raise InvalidInput("A call of a service's API needs Docker.", code="plan_needs_docker")
        with self._talk(call) as talk:
            rendered = Rendered(call.method, call.target, call.body, call.content_type)
            lost: ServiceFailed | None = None
            answer = HttpAnswer(0)
            try:
                answer = talk.send(rendered, call.seconds)
            except ServiceFailed as error:
                if error.code == "service_unreached":
                    raise
                lost = error
            if lost is None and answer.status < 500 and not talk.agreed(answer):
                raise talk.refusal(answer)
            if lost is None and answer.status >= 500:
                # It may have done a part before it fell.
                lost = talk.refusal(answer)
            return self._looked(call, talk, answer, lost)

    def take_back(self, plan: Plan, called: Called) -> tuple[Evidence, ...]:
        """Send what takes the call back, once; what was seen. Raises nothing."""
        call = plan.draft.call
        if call is None or self.calls is None or not call.undo:
            why = call.no_undo if call else ""
            return (Evidence("the service did it, and nothing here takes it back", ok=False, detail=why),)
        try:
            step = Step.model_validate_json(call.undo)
            rendered = render(step.operation, resolved(step.values, {}, answer=called.answer))
            with self._talk(call) as talk:
                answer = talk.send(rendered, step.operation.seconds)
                if not talk.agreed(answer):
                    raise talk.refusal(answer)
        except HomelabError as error:
            return (Evidence(f"{call.where}: it could not be taken back", ok=False, detail=error.as_text()),)
        return (Evidence(f"{call.where}: {step.operation.id} took it back ({answer.status})", ok=True),)

    def _talk(self, call: ServiceCall) -> Any:
        reach = Reach.model_validate_json(call.reach)
        container = running(self.engine, call.stack, call.service)
        assert self.calls is not None  # noqa: S101 - looked at by the callers
        return conversation(self.calls, self.files, container, reach, (call.stack, call.service), writes=True)

    def _looked(self, call: ServiceCall, talk: Conversation, answer: HttpAnswer, lost: ServiceFailed | None) -> Called:
        data = data_of(answer.headers.get("content-type", ""), answer.body) if lost is None else None
        said = (
            Evidence(f"{call.where} answered {answer.status}", ok=True, detail=_detail(data, talk))
            if lost is None
            else Evidence("no answer that tells the outcome", ok=True, detail=lost.message)
        )
        kept = _kept(call, data)
        held, seen = self._check(call, talk, data)
        if held:
            return Called((said, *seen), data, kept)
        if lost is not None:
            doubt = Evidence(f"{call.where}: whether it was done is not known", ok=False, detail=lost.message)
            raise CallUnknown(f"{lost.message} It was not sent again.", (doubt, *seen))
        if call.check:
            raise CallNotSeen(Called((said, *seen), data, kept))
        return Called((said,), data, kept)

    def _check(self, call: ServiceCall, talk: Conversation, data: Any) -> tuple[bool, tuple[Evidence, ...]]:
        """Whether the look shows what was asked for, and what it shows."""
        if not call.check:
            return False, ()
        step = Step.model_validate_json(call.check)
        if data is None and needs_answer(step.values):
            return False, ()
        try:
            rendered = render(step.operation, resolved(step.values, {}, answer=data))
        except InvalidInput as error:
            return False, (Evidence("the outcome cannot be looked at", ok=False, detail=error.message),)
        until = self.clock.monotonic() + LOOK_SECONDS
        while True:
            held, seen = _look(call, step, talk, rendered)
            if held or self.clock.monotonic() >= until:
                return held, (seen,)
            self.clock.sleep(_POLL)


def _look(call: ServiceCall, step: Step, talk: Conversation, rendered: Rendered) -> tuple[bool, Evidence]:
    name = f"{call.where}: {step.operation.id}"
    try:
        answer = talk.send(rendered, step.operation.seconds)
    except ServiceFailed as error:
        return False, Evidence(f"{name} could not be read", ok=False, detail=error.message)
    if answer.status == 404 and step.absent:
        return True, Evidence(f"{name} shows that it is gone", ok=True)
    if not talk.agreed(answer):
        return False, Evidence(f"{name} says {answer.status}", ok=False)
    data = data_of(answer.headers.get("content-type", ""), answer.body)
    found = at(data, step.operation.items) if step.operation.items else data
    if step.absent:
        gone = found in (None, [], {}, "")
        word = "shows that it is gone" if gone else "still shows it"
        return gone, Evidence(f"{name} {word}", ok=gone)
    wrong = [path for path, wanted in step.expect.items() if not _same(at(data, path), wanted)]
    if wrong:
        seen = {path: at(data, path) for path in wrong}
        told = safe(json.dumps(seen, ensure_ascii=False)[:400], talk.secrets)
        return False, Evidence(f"{name} does not show it", ok=False, detail=f"still (untrusted data): {told}")
    word = "shows it" if step.expect else "answers"
    return True, Evidence(f"{name} {word}", ok=True, detail=_detail(data, talk, step))


def _same(seen: Any, wanted: Any) -> bool:
    """Equal, also where one side is a number and the other its text; never a truth value and a number."""
    if isinstance(seen, bool) or isinstance(wanted, bool):
        return seen is wanted
    return bool(seen == wanted) or (seen is not None and str(seen) == str(wanted))


def _detail(data: Any, talk: Conversation, step: Step | None = None) -> str:
    """The answer as evidence: short, masked, and marked as what it is."""
    if data in (None, "", {}, []):
        return ""

    def hide(text: str) -> str:
        return safe(text, talk.secrets)

    data = plain(data, hide) if step is None else shaped(data, step.operation, hide, limit=5, offset=0)
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    cut = safe(text, talk.secrets)
    return f"untrusted data: {cut[:_SHOWN]}{'…' if len(cut) > _SHOWN else ''}"


def _kept(call: ServiceCall, data: Any) -> dict[str, Any]:
    """What the undo will need of the answer, by place: numbers and short words."""
    if not call.undo or data is None:
        return {}
    wanted: Mapping[str, Any] = Step.model_validate_json(call.undo).values
    paths = [v[9:-1] for v in wanted.values() if isinstance(v, str) and v.startswith("@{answer.")]
    found = {path: at(data, path) for path in paths}
    return {path: v for path, v in found.items() if isinstance(v, (int, str)) and len(str(v)) <= 100}
