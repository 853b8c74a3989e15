"""A plan's outline holds no content, whatever part of the plan it stands in, and comes back equal."""

from __future__ import annotations

import dataclasses

from homelab_mcp.core.plan_codec import plan_to_json, seal
from homelab_mcp.core.plan_record import outline_from, outline_of, record, whole_from
from homelab_mcp.model.plan import Draft, FileEdit, Plan, Requester, Risk, RiskReason

CANARY = "canary-71c2-value"


def test_no_part_of_an_outline_holds_content() -> None:
    edits = (FileEdit("a/.env", CANARY, CANARY + "2", 0o600, secret=True),)
    texts = {f.name: (CANARY,) for f in dataclasses.fields(Draft) if f.name in {"notes", "secrets"}}
    draft = Draft(
        "adopt",
        "Adopt",
        edits,
        (),
        adopts=edits,
        risks=(RiskReason(Risk.LOW, CANARY),),
        **texts,  # type: ignore[arg-type]
    )
    plan = seal(Plan("a" * 32, draft, Risk.LOW, (CANARY,), (), {"file:a": "b"}, Requester("mcp"), 0.0, 1.0))
    text = record(plan, "sealed")
    assert CANARY not in text
    assert outline_from(text) == outline_of(plan)
    assert whole_from(text, plan_to_json(plan)) == plan
