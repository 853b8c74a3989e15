"""Whose yes counts, and which no is final."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.model.errors import InvalidInput, PlanRefused
from homelab_mcp.model.plan import PlanState, Risk, RiskReason
from tests.unit.workflow.bench_lab import PIN, BenchLab


@pytest.fixture
def lab(tmp_path: Path) -> BenchLab:
    return BenchLab(tmp_path / "lab", pin=True)


def test_a_dialog_needs_the_targets_name_and_nothing_else_will_do(lab: BenchLab) -> None:
    plan = lab.plan(lab.add_draft(), approve=False)
    for typed in ("", "yes", "App", "\u0430pp", "app app", "media/app"):
        with pytest.raises(PlanRefused) as caught:
            lab.approvals.dialog(plan, typed, "client")
        assert caught.value.code == "plan_not_approved"
    assert lab.plans.approval(plan.id) is None
    lab.approvals.dialog(plan, " app\n", "client")
    assert lab.approvals.state(plan.id).state is PlanState.APPROVED


def test_a_draft_without_a_target_cannot_be_approved_by_an_empty_name(lab: BenchLab) -> None:
    plan = lab.plan(replace(lab.add_draft(), target=""), approve=False)
    with pytest.raises(PlanRefused):
        lab.approvals.dialog(plan, "", "client")


def test_the_stored_plans_risk_counts_not_the_one_that_is_handed_in(lab: BenchLab) -> None:
    high = replace(lab.add_draft(), risks=(RiskReason(Risk.HIGH, "x"),))
    plan = lab.plan(high, approve=False)
    assert not lab.approvals.dialog_allowed(plan)
    with pytest.raises(PlanRefused):
        lab.approvals.dialog(replace(plan, risk=Risk.LOW), "app", "client")


def test_a_no_in_a_dialog_leaves_the_plan_open_to_a_person(lab: BenchLab) -> None:
    plan = lab.plan(lab.add_draft(), approve=False)
    lab.approvals.dialog_declined(plan, "client")
    assert lab.approvals.state(plan.id).state is PlanState.PENDING
    lab.approvals.out_of_band(plan.id, PIN, who="me", approved=True)
    assert lab.applier.check(plan.id) == plan


def test_a_no_out_of_band_is_final(lab: BenchLab) -> None:
    plan = lab.plan(lab.add_draft(), approve=False)
    lab.approvals.out_of_band(plan.id, PIN, who="me", approved=False, reason="not now")
    answers: list[Callable[[], object]] = [
        lambda: lab.approvals.dialog(plan, "app", "client"),
        lambda: lab.approvals.out_of_band(plan.id, PIN, who="me", approved=True),
    ]
    for again in answers:
        with pytest.raises(PlanRefused) as caught:
            again()
        assert caught.value.code == "plan_declined"


def test_a_wrong_pin_records_nothing(lab: BenchLab) -> None:
    plan = lab.plan(lab.add_draft(), approve=False)
    with pytest.raises(InvalidInput) as caught:
        lab.approvals.out_of_band(plan.id, "not the pin", who="me", approved=True)
    assert caught.value.code == "wrong_pin"
    assert lab.plans.approval(plan.id) is None
    assert lab.events() == ["plan_made"]


def test_a_plan_past_its_time_shows_as_expired_and_takes_no_answer(lab: BenchLab) -> None:
    plan = lab.plan(lab.add_draft(), approve=False)
    lab.clock.wall += 901
    assert lab.approvals.state(plan.id).state is PlanState.EXPIRED
    with pytest.raises(PlanRefused) as caught:
        lab.approvals.out_of_band(plan.id, PIN, who="me", approved=True)
    assert caught.value.code == "plan_expired"
