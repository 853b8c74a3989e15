"""Hand-made changes as a client and a person meet them: seen, adopted, undone; over stdio, on files alone."""

from __future__ import annotations

import pytest

from tests.e2e.server import LabOnDisk, call, connected, data, types_the_name, words

CANARY = "canary-77aa01bc9d"


@pytest.mark.timeout(90)
async def test_hand_edits_are_seen_adopted_and_undone(lab: LabOnDisk) -> None:
    async with connected(lab, answer=types_the_name) as client:
        added = data(await call(client, "add_service", service="uptime-kuma", stack="monitoring"))
        assert data(await call(client, "apply_plan", plan_id=added["plan_id"]))["state"] == "done"
        clean = data(await call(client, "review_changes"))
        assert clean["clean"], clean
        compose, env = lab.root / "monitoring" / "compose.yaml", lab.root / "monitoring" / ".env"
        text, values = compose.read_text(), env.read_text()
        compose.write_text(text.replace("restart: unless-stopped", "restart: always", 1))
        env.write_text(values + f"EXTRA_TOKEN={CANARY}\n")
        seen = data(await call(client, "review_changes", stack="monitoring"))
        assert seen["files"] == ["changed monitoring/.env since the last apply", "changed monitoring/compose.yaml"]
        assert "+    restart: always" in seen["diff"]
        assert "+ EXTRA_TOKEN" in seen["diff"]
        assert CANARY not in str(seen)
        plan = data(await call(client, "resolve_drift", stack="monitoring", how="adopt"))
        assert "restart: always" in plan["diff"]
        assert CANARY not in str(plan)
        assert data(await call(client, "apply_plan", plan_id=plan["plan_id"]))["state"] == "done"
        assert data(await call(client, "review_changes"))["clean"]
        compose.write_text(text)
        undo = data(await call(client, "resolve_drift", stack="monitoring", how="undo"))
        assert data(await call(client, "apply_plan", plan_id=undo["plan_id"]))["state"] == "done"
        assert "restart: always" in compose.read_text()
        assert CANARY in env.read_text()
        nothing = await call(client, "resolve_drift", stack="monitoring", how="undo")
        assert nothing.is_error
        assert "[nothing_to_do]" in words(nothing)
        back = data(await call(client, "rollback", plan_id=added["plan_id"], to="after"))
        assert back["risk"] == "high"
        assert "adopted since" in " ".join(back["reasons"])
    assert lab.approve(back["plan_id"], "--apply")["state"] == "done"
    assert compose.read_text() == text
    assert env.read_text() == values


def test_the_command_reviews_and_plans(lab: LabOnDisk) -> None:
    assert lab.json("review")["clean"]
    core = lab.root / "core" / "compose.yaml"
    text = core.read_text()
    core.write_text(text + "# mine\n")
    found = lab.json("review", "core")
    assert found["files"] == ["changed core/compose.yaml"]
    plan = lab.json("review", "core", "--undo", "--plan-only", code=3)
    assert plan["risk"] == "high"
    assert lab.approve(plan["plan_id"], "--apply")["state"] == "done"
    assert core.read_text() == text
    shown = lab.run("review")
    assert "Nothing was changed by hand" in shown.stdout
    assert lab.json("review", "nosuch", code=1)["error"]["code"] == "not_found"
    assert lab.json("review", "core", "--adopt", "--undo", code=1)["error"]["hint"] == "Choose one."
    first = lab.json("history")["history"][-1]["plan_id"]
    back = lab.json("rollback", first, "--to", "after", "--stack", "core", "--plan-only", code=3)
    assert back["target"] == "core"
