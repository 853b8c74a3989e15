"""policy.yaml as a person and a client meet it, with a real server process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from mcp import Client

from homelab_mcp.model.token import Scope
from homelab_mcp.tools.access import SCOPES
from tests.e2e.server import LabOnDisk, call, connected, data, types_the_name, words

READING = {name for name, scope in SCOPES.items() if scope is Scope.READ} - {"get_plan"}

pytestmark = pytest.mark.timeout(60)


def policy(lab: LabOnDisk, text: str) -> None:
    (lab.root / "policy.yaml").write_text(text)


async def names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


@pytest.mark.parametrize("how", ["option", "policy"])
async def test_read_only_leaves_no_tool_that_plans(lab: LabOnDisk, how: str) -> None:
    if how == "policy":
        policy(lab, "read_only: true\n")
    else:
        lab.environment["HOMELAB_READ_ONLY"] = "1"
    async with connected(lab) as client:
        assert set(await names(client)) == READING
        refused = await client.call_tool("apply_plan", {"plan_id": "a" * 32})
        assert refused.is_error


async def test_a_refused_plan_is_applied_by_nobody(lab: LabOnDisk) -> None:
    policy(lab, "rules: [{operation: add_service, target: jelly*, approval: refuse, why: no media here}]\n")
    before = lab.files()
    async with connected(lab, answer=types_the_name) as client:
        plan = data(await call(client, "add_service", service="jellyfin"))
        assert "only a person can change the policy" in plan["next"]
        refused = await call(client, "apply_plan", plan_id=plan["plan_id"])
        assert refused.is_error
        assert "policy_refused" in words(refused)
    assert lab.approve(plan["plan_id"], code=1)["error"]["code"] == "policy_refused"
    assert lab.files() == before


async def test_a_client_may_be_trusted_less_than_another(lab: LabOnDisk) -> None:
    policy(lab, "rules: [{client: mcp, approval: out_of_band}, {client: cli, approval: client_dialog}]\n")
    async with connected(lab, answer=types_the_name) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma"))
        refused = await call(client, "apply_plan", plan_id=plan["plan_id"])
        assert refused.is_error
        assert "plan_not_approved" in words(refused)
        lab.approve(plan["plan_id"])
        assert data(await call(client, "apply_plan", plan_id=plan["plan_id"]))["state"] == "done"


async def test_what_needs_nobody_is_applied_and_said_at_the_start(lab: LabOnDisk) -> None:
    policy(lab, "approval: {medium: automatic}\n")
    async with connected(lab) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma"))
        assert data(await call(client, "apply_plan", plan_id=plan["plan_id"]))["state"] == "done"
    assert lab.json("policy", "check")["warnings"] == [
        "policy.yaml: plans of medium risk are applied without asking anybody."
    ]
    told = lab.run("serve").stderr
    assert "applied without asking anybody" in told


async def test_quiet_hours_hold_back_an_approved_plan(lab: LabOnDisk) -> None:
    now = datetime.now(UTC)
    start, end = (now - timedelta(hours=1)).strftime("%H:%M"), (now + timedelta(hours=1)).strftime("%H:%M")
    policy(lab, f"quiet_hours: [{{start: '{start}', end: '{end}'}}]\n")
    async with connected(lab) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma"))
        lab.approve(plan["plan_id"])
        refused = await call(client, "apply_plan", plan_id=plan["plan_id"])
        assert refused.is_error
        assert "quiet_hours" in words(refused)
        policy(lab, "{}\n")
        assert data(await call(client, "apply_plan", plan_id=plan["plan_id"]))["state"] == "done"


async def test_a_policy_tightened_after_the_approval_still_holds(lab: LabOnDisk) -> None:
    async with connected(lab, answer=types_the_name) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma"))
        lab.approve(plan["plan_id"])
        policy(lab, "approval: {medium: refuse}\n")
        refused = await call(client, "apply_plan", plan_id=plan["plan_id"])
        assert refused.is_error
        assert "policy_refused" in words(refused)


async def test_a_broken_policy_stops_every_plan_and_no_reading(lab: LabOnDisk) -> None:
    policy(lab, "approval: {high: automatik}\n")
    async with connected(lab, answer=types_the_name) as client:
        assert not (await call(client, "search_catalog", query="jellyfin")).is_error
        refused = await call(client, "add_service", service="uptime-kuma")
        assert refused.is_error
        assert "bad_policy" in words(refused)
    assert lab.json("policy", "check", code=1)["error"]["code"] == "bad_policy"


async def test_a_flood_of_plans_is_stopped(lab: LabOnDisk) -> None:
    policy(lab, "open_plans: 3\n")
    async with connected(lab) as client:
        answers = [await call(client, "set_env", stack="core", values={"NOTE": str(n)}) for n in range(5)]
        assert [a.is_error or False for a in answers] == [False] * 3 + [True] * 2
        assert "too_many_plans" in words(answers[-1])
        assert lab.approve(str(data(answers[0])["plan_id"]), "--decline")["state"] == "declined"
        assert not (await call(client, "set_env", stack="core", values={"NOTE": "x"})).is_error


def test_an_unknown_toolset_is_told_with_those_there_are(lab: LabOnDisk) -> None:
    done = lab.run("serve", "--toolsets", "core,everything")
    assert done.returncode == 1
    assert "Toolsets: core" in done.stderr


def test_the_policy_is_shown_and_its_schema_printed(lab: LabOnDisk) -> None:
    policy(lab, "approval: {high: out_of_band}\nplan_minutes: 5\n")
    shown = lab.json("policy", "show")
    assert shown["approval"] == {
        "low": ["client_dialog", "out_of_band"],
        "medium": ["client_dialog", "out_of_band"],
        "high": ["out_of_band"],
    }
    assert shown["plan_minutes"] == 5
    assert '"open_plans"' in lab.run("policy", "schema").stdout
