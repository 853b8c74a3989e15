"""Risk has a floor that no operation can talk down."""

from __future__ import annotations

from homelab_mcp.core.policy import DEFAULT_POLICY, Policy, assess
from homelab_mcp.model.plan import ActionKind, ApprovalKind, Draft, EngineAction, FileEdit, Risk, RiskReason


def test_high_risk_takes_out_of_band_only_and_an_empty_policy_takes_nothing() -> None:
    assert DEFAULT_POLICY.required(Risk.HIGH) == ("out_of_band",)
    for risk in (Risk.LOW, Risk.MEDIUM):
        assert DEFAULT_POLICY.required(risk) == ("client_dialog", "out_of_band")
    assert not any(Policy({}).accepts_kind(r, k) for r in Risk for k in ApprovalKind)


def test_the_worst_reason_decides_and_comes_first() -> None:
    draft = Draft(
        "x", "x", (FileEdit("a", "1", "2"),), (), risks=(RiskReason(Risk.LOW, "small"), RiskReason(Risk.HIGH, "big"))
    )
    risk, reasons = assess(draft)
    assert risk is Risk.HIGH
    assert reasons == ("big", "Changes files of the lab.", "small")


def test_an_operation_cannot_call_its_edits_harmless() -> None:
    low = (RiskReason(Risk.LOW, "harmless"),)
    assert assess(Draft("x", "x", (FileEdit("a", "1", "2"),), (), risks=low))[0] is Risk.MEDIUM
    assert assess(Draft("x", "x", (FileEdit("s/.env", "1", None, secret=True),), (), risks=low))[0] is Risk.HIGH
    assert assess(Draft("x", "x", (FileEdit("homelab.yaml", "1", "2"),), (), risks=low))[0] is Risk.HIGH
    remove = EngineAction(ActionKind.REMOVE, "", "s", ("a",))
    assert assess(Draft("x", "x", (), (remove,), risks=low))[0] is Risk.MEDIUM
    restart = EngineAction(ActionKind.RESTART, "", "s", ("a",))
    assert assess(Draft("x", "x", (), (restart,)))[0] is Risk.LOW
