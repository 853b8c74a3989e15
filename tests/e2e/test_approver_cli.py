"""The approver's key as a person meets it: shown, its PIN changed, replaced by somebody, and forgotten."""

from __future__ import annotations

import pytest

from tests.e2e.server import PIN, LabOnDisk

NEW, OTHER = "battery-staple", "horse-correct"

pytestmark = pytest.mark.timeout(240)


def approve(lab: LabOnDisk, plan: str, pin: str, code: int = 0) -> dict[str, object]:
    return lab.json("approve", plan, "--pin-file", "-", stdin=f"{pin}\n", code=code)


def plan(lab: LabOnDisk, value: str) -> str:
    return str(lab.json("env", "set", "core", f"ASKED={value}", "--plan-only", code=3)["plan_id"])


def doctor(lab: LabOnDisk, code: int = 0) -> dict[str, object]:
    return next(dict(c) for c in lab.json("doctor", code=code)["checks"] if c["name"] == "approver")


def test_a_pin_is_changed_and_a_key_that_somebody_put_there_counts_only_once_a_person_accepted_it(
    lab: LabOnDisk,
) -> None:
    shown = lab.json("approver", "show")
    assert shown["standing"] == "known"
    assert shown["key"] in shown["on_record"]
    first, second = plan(lab, "1"), plan(lab, "2")
    approve(lab, first, PIN)

    pins = (lab.root.parent / "old", lab.root.parent / "new")
    for path, pin in zip(pins, (PIN, NEW), strict=True):
        path.write_text(pin)
    changed = lab.json("approver", "change-pin", "--pin-file", str(pins[0]), "--new-pin-file", str(pins[1]))
    assert changed["key"] != shown["key"]
    assert lab.json("approver", "show")["standing"] == "known"
    assert approve(lab, second, PIN, 1)["error"]["code"] == "wrong_pin"  # type: ignore[index]
    assert lab.json("apply", first, code=1)["error"]["code"] == "plan_not_approved"
    approve(lab, second, NEW)
    assert lab.json("apply", second, timeout=90)["state"] == "done"

    (lab.root / ".homelab/approver.json").unlink()
    again = lab.json("init", "--pin-file", "-", stdin=f"{OTHER}\n")
    assert (again["pin_set"], again["pin_counts"]) == (True, False)
    third = plan(lab, "3")
    refused = approve(lab, third, OTHER, 1)["error"]
    assert refused["code"] == "approver_replaced"  # type: ignore[index]
    assert "approver accept" in refused["hint"]  # type: ignore[index]
    told = doctor(lab, 1)
    assert not told["ok"]
    assert "no answer signed with it counts" in str(told["sentence"])
    now = lab.json("approver", "show", code=1)
    assert now["standing"] == "replaced"
    assert "--key" in lab.json("approver", "accept", "--pin-file", "-", stdin=f"{OTHER}\n", code=1)["error"]["hint"]
    lab.json("approver", "accept", "--key", now["key"], "--pin-file", "-", stdin=f"{OTHER}\n")
    approve(lab, third, OTHER)
    assert "accepted without the old PIN" in str(doctor(lab)["sentence"])
    assert lab.json("journal", "verify")["ok"]
    everything = "".join(p.read_text() for p in (lab.root / ".homelab").glob("journal*"))
    assert not [pin for pin in (PIN, NEW, OTHER) if pin in everything]
