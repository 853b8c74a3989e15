"""An approver's key that was replaced signs nothing that counts; a PIN can be changed, or forgotten."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.adapters.approver import KeyFileApprover
from homelab_mcp.core.approver_record import Standing, key_name
from homelab_mcp.model.errors import HomelabError, InvalidInput, PlanRefused
from homelab_mcp.model.plan import Plan, PlanState, Risk, RiskReason
from homelab_mcp.workflow.approver_trust import ApproverTrust
from tests.unit.workflow.bench_lab import PIN, BenchLab

STRANGER = "a stranger's pin"


@pytest.fixture
def lab(tmp_path: Path) -> BenchLab:
    return BenchLab(tmp_path / "lab", pin=True)


def trust(lab: BenchLab) -> ApproverTrust:
    return ApproverTrust(lab.approver, lab.journal)


def key_file(lab: BenchLab) -> Path:
    return lab.root / ".homelab" / "approver.json"


def high(lab: BenchLab) -> Plan:
    return lab.plan(replace(lab.add_draft(), risks=(RiskReason(Risk.HIGH, "x"),)), approve=False)


def approve(lab: BenchLab, plan: Plan, pin: str = PIN) -> None:
    lab.approvals.out_of_band(plan.id, pin, who="me", approved=True)


def replaced(lab: BenchLab) -> None:
    """What a program of the same user can do: another key in the file's place."""
    key_file(lab).unlink()
    KeyFileApprover(key_file(lab), lab.clock).create(STRANGER)


def code(of: object) -> str:
    assert isinstance(of, HomelabError)
    return of.code


def test_a_replaced_key_approves_nothing_and_its_earlier_answers_are_refused(lab: BenchLab) -> None:
    first, second = high(lab), high(lab)
    approve(lab, first)
    assert trust(lab).look()[0] is Standing.KNOWN
    replaced(lab)
    with pytest.raises(PlanRefused) as caught:
        approve(lab, second, STRANGER)
    assert code(caught.value) == "approver_replaced"
    assert "approver accept" in caught.value.hint
    # Signed around this program, and laid where the program looks for answers.
    lab.plans.set_approval(lab.approver.sign(STRANGER, second, approved=True, who="me"))
    for plan in (first, second):
        with pytest.raises(PlanRefused) as caught:
            lab.applier.check(plan.id)
        assert code(caught.value) == "approver_replaced"
        with pytest.raises(PlanRefused):
            lab.applier.run(plan.id)
    assert not lab.plans.used(second.id)


def test_a_forged_record_of_a_first_key_changes_nothing(lab: BenchLab) -> None:
    approve(lab, high(lab))
    replaced(lab)
    lab.journal.append("approver_set", {"approver": lab.approver.public(), "by": "me"})
    trust(lab).remember("me")
    assert trust(lab).look()[0] is Standing.REPLACED


def test_a_lab_from_before_there_were_records_goes_on_and_is_recorded(lab: BenchLab) -> None:
    plan = high(lab)
    lab.plans.set_approval(lab.approver.sign(PIN, plan, approved=True, who="me"))
    assert trust(lab).look()[0] is Standing.UNRECORDED
    assert lab.applier.run(plan.id).state is PlanState.DONE
    assert trust(lab).look()[0] is Standing.KNOWN
    (kept,) = (e["data"] for e in lab.journal.entries() if e["event"] == "approver_set")
    assert (kept["approver"], kept["key_name"]) == (lab.approver.public(), key_name(lab.approver.public()))


def test_a_changed_pin_is_a_new_key_that_the_old_one_signed_for(lab: BenchLab) -> None:
    before = high(lab)
    approve(lab, before)
    old_file, old = key_file(lab).read_bytes(), lab.approver.public()
    lab.approver.change(PIN, "another pin")
    # A crash here: the journal does not know yet, and the file alone proves it.
    assert trust(lab).look()[0] is Standing.FOLLOWS
    with pytest.raises(InvalidInput) as wrong:
        approve(lab, high(lab))
    assert code(wrong.value) == "wrong_pin"
    plan = high(lab)
    approve(lab, plan, "another pin")
    found, known = trust(lab).look()
    assert (found, known and known.public != old) == (Standing.KNOWN, True)
    assert lab.applier.check(plan.id) == plan
    with pytest.raises(PlanRefused) as caught:
        lab.applier.check(before.id)
    assert code(caught.value) == "plan_not_approved", "the old key's answers end with it"
    key_file(lab).write_bytes(old_file)
    with pytest.raises(PlanRefused) as caught:
        approve(lab, high(lab), PIN)
    assert code(caught.value) == "approver_replaced", "an old copy of the file, with its old PIN, opens nothing"


def test_a_pin_changed_twice_through_another_lab_still_follows(lab: BenchLab) -> None:
    approve(lab, high(lab))
    lab.approver.change(PIN, "second pin")
    lab.approver.change("second pin", "third pin!")
    assert trust(lab).look()[0] is Standing.FOLLOWS
    approve(lab, high(lab), "third pin!")
    assert trust(lab).look()[0] is Standing.KNOWN
    lab.approver.change("third pin!", "fourth pin")
    approve(lab, high(lab), "fourth pin")
    assert trust(lab).look()[0] is Standing.KNOWN


def test_a_forgotten_pin_is_replaced_by_a_person_who_names_the_new_key_and_knows_its_pin(lab: BenchLab) -> None:
    approve(lab, high(lab))
    replaced(lab)
    name = key_name(lab.approver.public())
    with pytest.raises(InvalidInput) as caught:
        trust(lab).accept(STRANGER, "0000-0000-0000-0000", "me")
    assert code(caught.value) == "wrong_key"
    with pytest.raises(InvalidInput) as caught:
        trust(lab).accept(PIN, name, "me")
    assert code(caught.value) == "wrong_pin"
    trust(lab).accept(STRANGER, f" {name.upper()}\n", "me")
    found, known = trust(lab).look()
    assert (found, known and known.event) == (Standing.KNOWN, "approver_accepted")
    plan = high(lab)
    approve(lab, plan, STRANGER)
    assert lab.applier.run(plan.id).state is PlanState.DONE
    with pytest.raises(InvalidInput) as caught:
        trust(lab).accept(STRANGER, name, "me")
    assert code(caught.value) == "nothing_to_do"


def test_a_wrong_or_weak_pin_changes_no_key(lab: BenchLab) -> None:
    before = lab.approver.public()
    for old, new, wanted in (("wrong one", "another pin", "wrong_pin"), (PIN, "111111", "weak_pin")):
        with pytest.raises(InvalidInput) as caught:
            lab.approver.change(old, new)
        assert code(caught.value) == wanted
    assert lab.approver.public() == before


def test_a_damaged_key_file_is_no_other_key(lab: BenchLab) -> None:
    approve(lab, high(lab))
    plan = high(lab)
    kept = key_file(lab).with_suffix(".kept")
    shutil.copy(key_file(lab), kept)
    key_file(lab).write_text("{}")
    with pytest.raises(InvalidInput) as caught:
        approve(lab, plan)
    assert code(caught.value) == "approver_corrupt"
    kept.rename(key_file(lab))
    approve(lab, plan)
