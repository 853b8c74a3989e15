"""Risk has a floor that no operation can talk down, and a policy says whose yes a plan needs and when it rests."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from homelab_mcp.core.policy import DEFAULT_POLICY, Policy
from homelab_mcp.core.policy_file import parse_policy
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import (
    ActionKind,
    ApprovalKind,
    Draft,
    EngineAction,
    FileEdit,
    Plan,
    Requester,
    Risk,
    RiskReason,
)
from homelab_mcp.model.policy import PolicyRule, PolicySettings

MODEL = Requester("mcp", "Copilot", "1")
EDIT = (FileEdit("media/compose.yaml", "1", "2"),)
BOTH = ("client_dialog", "out_of_band")


def draft(operation: str = "add_service", *, target: str = "web", risks: tuple[RiskReason, ...] = ()) -> Draft:
    return Draft(operation, "x", EDIT, (), target=target, risks=risks)


def plan(what: Draft, risk: Risk, policy: Policy = DEFAULT_POLICY, by: Requester = MODEL) -> Plan:
    return Plan("a" * 32, what, max(risk, policy.assess(what, by)[0]), (), (), {}, by, 0.0, 900.0)


def required(policy: Policy, what: Draft, risk: Risk, by: Requester = MODEL) -> tuple[str, ...]:
    return policy.required(plan(what, risk, policy, by))


def risk_of(what: Draft) -> Risk:
    return DEFAULT_POLICY.assess(what, MODEL)[0]


def test_high_risk_takes_out_of_band_only_by_default() -> None:
    assert required(DEFAULT_POLICY, draft(), Risk.HIGH) == ("out_of_band",)
    for risk in (Risk.LOW, Risk.MEDIUM):
        assert required(DEFAULT_POLICY, draft(), risk) == BOTH
    assert DEFAULT_POLICY.warnings() == ()
    assert parse_policy(None).settings == parse_policy("# nothing yet\n").settings == DEFAULT_POLICY.settings


def test_the_worst_reason_decides_and_comes_first() -> None:
    what = draft(risks=(RiskReason(Risk.LOW, "small"), RiskReason(Risk.HIGH, "big")))
    risk, reasons = DEFAULT_POLICY.assess(what, MODEL)
    assert risk is Risk.HIGH
    assert reasons == ("big", "Changes files of the lab.", "small")


def test_an_operation_cannot_call_its_edits_harmless() -> None:
    low = (RiskReason(Risk.LOW, "harmless"),)
    assert risk_of(Draft("x", "x", (FileEdit("a", "1", "2"),), (), risks=low)) is Risk.MEDIUM
    assert risk_of(Draft("x", "x", (FileEdit("s/.env", "1", None, secret=True),), (), risks=low)) is Risk.HIGH
    assert risk_of(Draft("x", "x", (FileEdit("homelab.yaml", "1", "2"),), (), risks=low)) is Risk.HIGH
    remove = EngineAction(ActionKind.REMOVE, "", "s", ("a",))
    assert risk_of(Draft("x", "x", (), (remove,), risks=low)) is Risk.MEDIUM
    restart = EngineAction(ActionKind.RESTART, "", "s", ("a",))
    assert risk_of(Draft("x", "x", (), (restart,))) is Risk.LOW


def test_rules_match_by_operation_stack_target_and_client_and_the_last_wins() -> None:
    policy = parse_policy(
        """
        rules:
          - {operation: remove_*, approval: out_of_band, why: nothing goes without me}
          - {stack: media, target: jelly*, approval: refuse}
          - {client: "copilot*", risk: high}
          - {client: cli, approval: automatic}
        """
    )
    assert required(policy, draft("remove_service"), Risk.LOW, Requester("mcp", "Claude")) == ("out_of_band",)
    assert required(policy, draft(target="jellyfin"), Risk.LOW, Requester("mcp", "Claude")) == ()
    assert policy.assess(draft(), MODEL) == (
        Risk.HIGH,
        ("The policy counts client copilot* as high risk.", "Changes files of the lab."),
    )
    assert policy.demand(plan(draft(target="jellyfin"), Risk.LOW, policy, Requester("cli"))) == "automatic"
    assert required(policy, draft(), Risk.MEDIUM, Requester("mcp", "Claude")) == BOTH
    assert policy.warnings() == ("policy.yaml: client cli is applied without asking anybody.",)


def test_a_rule_can_raise_risk_but_never_lower_it() -> None:
    policy = parse_policy("rules: [{operation: '*', risk: low}]")
    assert policy.assess(draft(risks=(RiskReason(Risk.HIGH, "big"),)), MODEL)[0] is Risk.HIGH


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("approval: {high: automatic}", "plans of high risk are applied without asking anybody"),
        ("approval: {high: [client_dialog]}", "a client's dialog approves plans of high risk"),
        ("rules: [{stack: core, approval: automatic}]", "stack core is applied without asking anybody"),
    ],
)
def test_what_is_looser_than_the_defaults_is_said(text: str, said: str) -> None:
    assert any(said in w for w in parse_policy(text).warnings())


@pytest.mark.parametrize(
    "text",
    [
        "approval: {high: yes}",
        "approval: {high: []}",
        "approval: {hihg: refuse}",
        "rules: [{stack: core}]",
        "rules: [{stack: core, approval: []}]",
        "quiet_hours: [{start: '25:00', end: '07:00'}]",
        "plan_minutes: 0",
        "- a list",
        "a: [",
        "approval: {high: refuse}\napproval: {high: automatic}",
    ],
)
def test_half_a_policy_is_none(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_policy(text)


def test_an_unknown_kind_never_counts() -> None:
    assert not DEFAULT_POLICY.accepts_kind(plan(draft(), Risk.HIGH), ApprovalKind.CLIENT_DIALOG)
    assert parse_policy("approval: {low: refuse}").required(plan(Draft("x", "x", (), ()), Risk.LOW)) == ()


BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = "quiet_hours: [{start: '22:00', end: '07:00', days: [fri, sat]}]"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("when", "until"),
    [
        ("2026-11-27T21:59:59", None),  # a Friday
        ("2026-11-27T22:00", "2026-11-28T07:00"),
        ("2026-11-28T06:59", "2026-11-28T07:00"),
        ("2026-11-28T07:00", None),
        ("2026-11-29T03:00", "2026-11-29T07:00"),  # began on Saturday
        ("2026-11-29T23:00", None),
        ("2026-10-25T06:30", "2026-10-25T07:00"),  # the night the clock goes back
    ],
)
def test_quiet_hours_go_over_midnight_by_the_labs_own_clock(when: str, until: str | None) -> None:
    policy = parse_policy(NIGHT, BERLIN)
    ends = policy.rests_until(Risk.MEDIUM, at(when))
    assert (ends.isoformat()[:16] if ends else None) == until
    assert policy.rests_until(Risk.LOW, at(when)) is None


def test_a_rule_for_a_token_is_no_rule_for_a_client_that_calls_itself_so() -> None:
    policy = Policy(PolicySettings(rules=(PolicyRule(client="token:lap*", risk="high"),)))
    draft = Draft("add_service", "x", (), ())

    def risk(**who: str) -> Risk:
        return policy.assess(draft, Requester("mcp", **who))[0]

    assert risk(client="claude", token="laptop") is Risk.HIGH
    assert risk(client="token:laptop") is Risk.LOW
    assert risk(client="token:laptop", token="phone") is Risk.LOW
    named = Policy(PolicySettings(rules=(PolicyRule(client="claude*", risk="high"),)))
    assert named.assess(draft, Requester("mcp", "Claude", token="laptop"))[0] is Risk.HIGH
