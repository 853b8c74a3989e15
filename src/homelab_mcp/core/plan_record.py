"""A plan's record on disk: an outline in the clear, and the whole plan sealed beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from homelab_mcp.core.plan_codec import data_steps_from, drops_from, plan_from_json, verification_from
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Plan,
    Requester,
    Risk,
)

VERSION = 2


def outline_of(plan: Plan) -> Plan:
    """The plan without what may hold a secret: contents, values, reasons, notes, findings and fingerprints.

    It keeps what lists, states and policies ask for. Its digest is that of the whole plan, so it fits no check.
    """
    draft = dataclasses.replace(
        plan.draft,
        edits=_without_content(plan.draft.edits),
        adopts=_without_content(plan.draft.adopts),
        risks=(),
        notes=(),
        secrets=(),
        trial=None,
        call=None,
    )
    return dataclasses.replace(plan, draft=draft, reasons=(), findings=(), fingerprint={})


def _without_content(edits: Iterable[FileEdit]) -> tuple[FileEdit, ...]:
    return tuple(dataclasses.replace(e, before=None, after=None) for e in edits)


def record(plan: Plan, sealed: str) -> str:
    """The record's text; ``sealed`` is the token of the whole plan."""
    outline = dataclasses.asdict(outline_of(plan))
    return json.dumps({"version": VERSION, "sealed": sealed, "outline": outline})


def is_clear(text: str) -> bool:
    """Whether the record is of version 1, which held all of the plan in the clear."""
    return text.startswith('{"version": 1,')


def outline_from(text: str) -> Plan:
    """The outline in a record. Raises InvalidInput (plan_corrupt)."""
    if is_clear(text):
        return outline_of(plan_from_json(text))
    try:
        envelope = json.loads(text)
        if envelope["version"] != VERSION:
            raise ValueError("unknown version")
        return _outline(dict(envelope["outline"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInput(
            f"A stored record is not readable ({type(error).__name__}).",
            code="plan_corrupt",
            hint="Discard the plan and ask for a new one.",
        ) from None


def whole_from(text: str, opened: str) -> Plan:
    """The plan that was sealed, where the record's outline is the plan's own. Raises InvalidInput (plan_corrupt)."""
    plan = plan_from_json(opened)
    if outline_of(plan) != outline_from(text):
        raise InvalidInput(
            "The stored plan is not what its outline says.", code="plan_corrupt", hint="Ask for a new plan."
        )
    return plan


def _outline(data: dict[str, Any]) -> Plan:
    draft = dict(data["draft"])
    for part in ("edits", "adopts"):
        draft[part] = tuple(FileEdit(**e) for e in draft.get(part, ()))
    draft["actions"] = tuple(
        EngineAction(**{**a, "kind": ActionKind(a["kind"]), "services": tuple(a["services"])}) for a in draft["actions"]
    )
    draft["verification"] = verification_from(draft["verification"])
    draft["moves"], draft["owners"] = data_steps_from(draft)
    draft["drops"] = drops_from(draft)
    draft["also_verify"] = tuple(verification_from(v) for v in draft.get("also_verify", ()))
    told = (draft["risks"], draft["notes"], draft["secrets"], data["reasons"], data["findings"], data["fingerprint"])
    if any((*told, draft.get("trial"), draft.get("call"))):
        raise ValueError("an outline holds no such thing")
    draft["risks"] = draft["notes"] = draft["secrets"] = ()
    return Plan(
        **{
            **data,
            "draft": Draft(**draft),
            "risk": Risk(data["risk"]),
            "asked_by": Requester(**data["asked_by"]),
            "reasons": (),
            "findings": (),
            "fingerprint": {},
        }
    )
