"""Plans as JSON, sealed with a digest over everything that a person approves."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.plan import (
    ActionKind,
    Approval,
    ApprovalKind,
    CertificateCheck,
    CertificateDrop,
    DataMove,
    Draft,
    EngineAction,
    Evidence,
    FileEdit,
    OwnerChange,
    Plan,
    PlanState,
    PlanStatus,
    Requester,
    Risk,
    RiskReason,
    RouteCheck,
    Verification,
)
from homelab_mcp.model.service_call import ServiceCall
from homelab_mcp.model.trial import Trial, TrialFile, TrialFolder

_VERSION = 1
_T = TypeVar("_T")


def digest(plan: Plan) -> str:
    """SHA-256 (hex) over every field of the plan but the digest itself."""
    return hashlib.sha256(b"homelab-mcp plan 1\n" + _canonical(_body(plan))).hexdigest()


def seal(plan: Plan) -> Plan:
    """The plan with its digest set."""
    return dataclasses.replace(plan, digest=digest(plan))


def plan_to_json(plan: Plan) -> str:
    """The plan as JSON text. Holds the secrets in its edits: for mode 0600 files only."""
    return json.dumps({"version": _VERSION, "digest": plan.digest, "plan": _body(plan)}, ensure_ascii=False)


def plan_from_json(text: str) -> Plan:
    """The plan of ``plan_to_json``.

    Raises InvalidInput (code ``plan_corrupt``) when it is malformed, or its digest is not that of its content.
    """
    plan = _guarded(lambda: _plan(json.loads(text)))
    if not plan.digest or digest(plan) != plan.digest:
        raise InvalidInput(
            "The stored plan does not match its digest.", code="plan_corrupt", hint="Discard it and ask for a new plan."
        )
    return plan


def status_to_json(status: PlanStatus) -> str:
    """A status as JSON text."""
    return json.dumps(dataclasses.asdict(status), ensure_ascii=False)


def status_from_json(text: str) -> PlanStatus:
    """The status of ``status_to_json``. Raises InvalidInput (plan_corrupt)."""

    def build() -> PlanStatus:
        data = json.loads(text)
        data["state"] = PlanState(data["state"])
        data["evidence"] = tuple(Evidence(**e) for e in data["evidence"])
        return PlanStatus(**data)

    return _guarded(build)


def approval_to_json(approval: Approval) -> str:
    """An approval as JSON text."""
    return json.dumps(dataclasses.asdict(approval), ensure_ascii=False)


def approval_from_json(text: str) -> Approval:
    """The approval of ``approval_to_json``. Raises InvalidInput (plan_corrupt)."""

    def build() -> Approval:
        data = json.loads(text)
        data["kind"] = ApprovalKind(data["kind"])
        if not isinstance(data["approved"], bool):
            raise TypeError("approved is not a truth value")
        return Approval(**data)

    return _guarded(build)


def approval_message(approval: Approval) -> bytes:
    """The bytes that an approver signs: every field of the answer but the signature."""
    data = dataclasses.asdict(approval)
    del data["signature"]
    return b"homelab-mcp approval 1\n" + _canonical(data)


def _body(plan: Plan) -> dict[str, Any]:
    data = dataclasses.asdict(plan)
    del data["digest"]
    if not data["asked_by"]["token"]:
        # Plans that were stored before there were tokens keep their digests.
        del data["asked_by"]["token"]
    # And so do those from before a field that most plans leave as it is.
    if not data["draft"]["also_verify"]:
        del data["draft"]["also_verify"]
    for name in ("moves", "owners", "drops", "trial", "call"):
        if not data["draft"][name]:
            del data["draft"][name]
    for seen in (data["draft"]["verification"], *data["draft"].get("also_verify", ())):
        for name in ("held", "certificates"):
            if not seen[name]:
                del seen[name]
        for route in seen["routes"]:
            if not route["was"]:
                del route["was"]
    for edit in (*data["draft"]["edits"], *data["draft"]["adopts"]):
        if not edit["derived"]:
            del edit["derived"]
    return data


def _canonical(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _guarded(build: Callable[[], _T]) -> _T:
    try:
        return build()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        # The error's own words may quote the content, which holds secrets.
        raise InvalidInput(
            f"A stored record is not readable ({type(error).__name__}).",
            code="plan_corrupt",
            hint="Discard the plan and ask for a new one.",
        ) from None


def _plan(envelope: Mapping[str, Any]) -> Plan:
    if envelope["version"] != _VERSION:
        raise ValueError("unknown version")
    data = dict(envelope["plan"])
    data["draft"] = _draft(data["draft"])
    data["risk"] = Risk(data["risk"])
    data["reasons"] = tuple(data["reasons"])
    data["findings"] = tuple(Finding(**{**f, "severity": Severity(f["severity"])}) for f in data["findings"])
    data["fingerprint"] = {str(k): str(v) for k, v in data["fingerprint"].items()}
    data["asked_by"] = Requester(**data["asked_by"])
    return Plan(**data, digest=str(envelope["digest"]))


def _draft(data: Mapping[str, Any]) -> Draft:
    fields = dict(data)
    fields["edits"] = tuple(FileEdit(**e) for e in data["edits"])
    fields["adopts"] = tuple(FileEdit(**e) for e in data.get("adopts", ()))
    fields["actions"] = tuple(
        EngineAction(**{**a, "kind": ActionKind(a["kind"]), "services": tuple(a["services"])}) for a in data["actions"]
    )
    fields["verification"] = verification_from(data["verification"])
    fields["also_verify"] = tuple(verification_from(v) for v in data.get("also_verify", ()))
    fields["moves"], fields["owners"] = data_steps_from(data)
    fields["drops"] = drops_from(data)
    fields["trial"] = trial_from(data)
    fields["call"] = call_from(data)
    fields["risks"] = tuple(RiskReason(Risk(r["risk"]), r["reason"]) for r in data["risks"])
    fields["notes"] = tuple(data["notes"])
    fields["secrets"] = tuple(data["secrets"])
    return Draft(**fields)


def data_steps_from(draft: Mapping[str, Any]) -> tuple[tuple[DataMove, ...], tuple[OwnerChange, ...]]:
    """A stored draft's moves and changes of owners. Raises TypeError where they are none."""
    moves = tuple(DataMove(**m) for m in draft.get("moves", ()))
    return moves, tuple(OwnerChange(**o) for o in draft.get("owners", ()))


def drops_from(draft: Mapping[str, Any]) -> tuple[CertificateDrop, ...]:
    """A stored draft's dropped certificates. Raises TypeError where they are none."""
    return tuple(CertificateDrop(**d) for d in draft.get("drops", ()))


def trial_from(draft: Mapping[str, Any]) -> Trial | None:
    """A stored draft's trial. Raises TypeError, KeyError where it is none."""
    data = draft.get("trial")
    if not data:
        return None
    folders = tuple(TrialFolder(**f) for f in data["folders"])
    files = tuple(TrialFile(**f) for f in data["files"])
    return Trial(**{**data, "services": tuple(data["services"]), "folders": folders, "files": files})


def call_from(draft: Mapping[str, Any]) -> ServiceCall | None:
    """A stored draft's call of a service's API. Raises TypeError where it is none."""
    data = draft.get("call")
    if not data:
        return None
    pairs = {key: tuple((str(a), str(b)) for a, b in data.get(key, ())) for key in ("before", "expect")}
    return ServiceCall(**{**data, **pairs})


def verification_from(seen: Mapping[str, Any]) -> Verification:
    """A stored verification. Raises KeyError or TypeError where it is none."""
    return Verification(
        stack=seen["stack"],
        services=tuple(seen["services"]),
        gone=tuple(seen["gone"]),
        routes=tuple(RouteCheck(**r) for r in seen["routes"]),
        held=tuple((str(service), str(word)) for service, word in seen.get("held", ())),
        certificates=tuple(CertificateCheck(**c) for c in seen.get("certificates", ())),
    )
