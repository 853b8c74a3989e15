"""The guard as a client meets it, over stdio, in both protocol eras, on files alone (the engine is not the point)."""

from __future__ import annotations

from typing import Any

import pytest
from mcp_types import ElicitResult

from tests.e2e.server import ERAS, Era, LabOnDisk, call, connected, data, types_the_name, words


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.timeout(60)
async def test_a_person_who_types_the_name_lets_the_plan_through(lab: LabOnDisk, era: Era) -> None:
    before = lab.files()
    async with connected(lab, era, types_the_name) as client:
        plan = data(await call(client, "add_service", service="Uptime Kuma", stack="monitoring"))
        assert plan["state"] == "pending"
        assert "uptime-kuma" in plan["diff"]
        assert lab.files() == before, "planning changed a file"
        done = data(await call(client, "apply_plan", plan_id=plan["plan_id"]))
        assert done["state"] == "done"
        again = data(await call(client, "apply_plan", plan_id=plan["plan_id"]))
        assert again["state"] == "done"
    assert "monitoring/compose.yaml" in lab.files()
    history = lab.json("history")["history"]
    assert [h["plan_id"] for h in history].count(plan["plan_id"]) == 1, "applied twice"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="client cannot ask"),
        pytest.param(lambda _: ElicitResult(action="decline"), id="declined"),
        pytest.param(lambda _: ElicitResult(action="cancel"), id="cancelled"),
        pytest.param(lambda _: ElicitResult(action="accept", content={}), id="auto-accepted empty form"),
        pytest.param(lambda _: ElicitResult(action="accept", content={"name": ""}), id="empty name"),
        pytest.param(lambda _: ElicitResult(action="accept", content={"name": "yes"}), id="another name"),
    ],
)
@pytest.mark.timeout(60)
async def test_anything_but_the_typed_name_is_no_yes(lab: LabOnDisk, era: Era, answer: Any) -> None:
    before = lab.files()
    async with connected(lab, era, answer) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma"))
        try:
            refused = await client.call_tool("apply_plan", {"plan_id": plan["plan_id"]})
        except Exception as error:  # noqa: BLE001 - an SDK may refuse the malformed answer itself
            assert "elicit" in str(error).lower() or "name" in str(error).lower()
        else:
            assert refused.is_error
            assert "internal_error" not in words(refused)
        shown = data(await call(client, "get_plan", plan_id=plan["plan_id"]))
        assert shown["state"] == "pending", "the plan is still open to a person elsewhere"
    assert lab.files() == before
    assert lab.approve(plan["plan_id"], "--apply")["state"] == "done"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.timeout(60)
async def test_an_apply_tells_its_steps_while_it_runs(lab: LabOnDisk, era: Era) -> None:
    told: list[tuple[float, str]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message or ""))

    async with connected(lab, era, types_the_name) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma"))
        await client.call_tool("apply_plan", {"plan_id": plan["plan_id"]}, progress_callback=on_progress)
    assert len(told) >= 2, told
    assert [number for number, _ in told] == sorted(number for number, _ in told)
    assert told[-1][1] == "done"


@pytest.mark.timeout(60)
async def test_high_risk_is_never_asked_in_the_dialog(lab: LabOnDisk) -> None:
    asked: list[str] = []

    def answer(message: str) -> ElicitResult:
        asked.append(message)
        return types_the_name(message)

    async with connected(lab, "auto", answer) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma", sso="bypass", sso_reason="status page"))
        assert plan["risk"] == "high"
        refused = await call(client, "apply_plan", plan_id=plan["plan_id"])
        assert refused.is_error
        assert f" approve {plan['plan_id']}" in words(refused)
    assert asked == []


@pytest.mark.timeout(60)
async def test_a_file_changed_meanwhile_makes_the_plan_stale(lab: LabOnDisk) -> None:
    async with connected(lab, "auto", types_the_name) as client:
        plan = data(await call(client, "remove_service", service="authelia"))
        compose = lab.root / "core" / "compose.yaml"
        compose.write_text(compose.read_text() + "# my note\n")
        done = lab.run("approve", plan["plan_id"], "--apply", "--pin-file", "-", "--json", stdin="correct-horse\n")
        assert done.returncode == 1
        assert "plan_stale" in done.stdout
        assert "core/compose.yaml" in done.stdout
        assert compose.read_text().endswith("# my note\n")


@pytest.mark.timeout(60)
async def test_a_declined_plan_stays_declined(lab: LabOnDisk) -> None:
    async with connected(lab, "auto", types_the_name) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma"))
        lab.approve(plan["plan_id"], "--decline", "--reason", "not today")
        refused = await call(client, "apply_plan", plan_id=plan["plan_id"])
        assert refused.is_error
        assert "plan_declined" in words(refused)


@pytest.mark.timeout(60)
async def test_a_wrong_pin_approves_nothing(lab: LabOnDisk) -> None:
    plan = lab.json("add", "uptime-kuma", "--plan-only", code=3)
    done = lab.run("approve", plan["plan_id"], "--pin-file", "-", "--json", stdin="wrong-pin\n")
    assert done.returncode == 1
    assert "wrong_pin" in done.stdout
    assert lab.json("plan", plan["plan_id"])["state"] == "pending"


@pytest.mark.timeout(90)
async def test_no_secret_of_an_env_file_comes_back_from_any_tool(lab: LabOnDisk) -> None:
    async with connected(lab, "auto", types_the_name) as client:
        plan = data(await call(client, "add_service", service="nextcloud"))
        seen = [str(plan)]
        seen.append(lab.run("approve", plan["plan_id"], "--apply", "--pin-file", "-", stdin="correct-horse\n").stdout)
        secrets = [
            line.split("=", 1)[1].strip("'\"")
            for path in lab.root.glob("*/.env")
            for line in path.read_text().splitlines()
            if "=" in line and any(w in line.split("=")[0] for w in ("PASSWORD", "SECRET", "KEY"))
        ]
        assert len(secrets) >= 3
        for tool, arguments in (
            ("get_plan", {"plan_id": plan["plan_id"]}),
            ("lab_status", {}),
            ("validate_compose", {"severity": "info"}),
            ("set_env", {"stack": "productivity", "generate": ["NEXTCLOUD_DB_PASSWORD"]}),
            ("remove_service", {"service": "nextcloud"}),
            ("read_logs", {"stack": "productivity"}),
        ):
            seen.append(words(await client.call_tool(tool, arguments)))
    for argument in (["plan"], ["history"], ["env", "list", "productivity"], ["journal", "show"], ["status"]):
        done = lab.run(*argument)
        seen += [done.stdout, done.stderr]
    seen.append((lab.root / ".homelab" / "journal.jsonl").read_text())
    for value in secrets:
        for text in seen:
            assert value not in text


@pytest.mark.timeout(60)
async def test_wrong_calls_get_an_error_with_a_way_out(lab: LabOnDisk) -> None:
    async with connected(lab) as client:
        cases: list[tuple[str, dict[str, Any], str]] = [
            ("add_service", {"service": "jelyfin"}, "jellyfin"),
            ("add_service", {"service": "jellyfin", "stack": "../../etc"}, "stack"),
            ("add_service", {"service": "jellyfin", "subdomain": "a`) || Host(`b"}, "subdomain"),
            ("add_service", {"service": "jellyfin", "variables": {"A\nB": "x"}}, "variables"),
            ("add_service", {"service": "traefik"}, "service_exists"),
            ("remove_service", {"service": "nothing"}, "nothing"),
            ("set_env", {"stack": "core", "values": {"MY_PASSWORD": "hunter2"}}, "secret_in_argument"),
            ("set_env", {"stack": "core", "values": {"COMPOSE_PROJECT_NAME": "x"}}, "COMPOSE_"),
            ("set_env", {"stack": "nope", "values": {"A": "b"}}, "nope"),
            ("get_plan", {"plan_id": "../../../../etc/passwd"}, "plan"),
            ("get_plan", {"plan_id": "0" * 32}, "plan"),
            ("apply_plan", {"plan_id": "0" * 32}, "plan"),
            ("validate_compose", {"stack": "nope"}, "core"),
            ("search_catalog", {"category": "nope"}, "media"),
        ]
        for tool, arguments, way_out in cases:
            result = await call(client, tool, **arguments)
            assert result.is_error, (tool, arguments)
            assert way_out in words(result), (tool, arguments, words(result))
            assert "hunter2" not in words(result)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.timeout(60)
async def test_an_apply_is_in_the_history_and_taken_back_by_a_plan_of_its_own(lab: LabOnDisk, era: Era) -> None:
    before = lab.files()
    async with connected(lab, era, types_the_name) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma", stack="monitoring"))
        assert data(await call(client, "apply_plan", plan_id=plan["plan_id"]))["state"] == "done"
        first = data(await call(client, "history", limit=1))
        assert first["applies"][0]["plan_id"] == plan["plan_id"]
        assert first["applies"][0]["approved_by"].startswith("client ")
        assert first["next_offset"] == 1
        back = data(await call(client, "rollback", plan_id=plan["plan_id"]))
        assert lab.files() != before
        assert back["risk"] == "high", "it deletes the new stack's .env"
        lab.approve(back["plan_id"])
        assert data(await call(client, "apply_plan", plan_id=back["plan_id"]))["state"] == "done"
        assert lab.files() == before
        refused = await call(client, "rollback", plan_id="0" * 32)
        assert refused.is_error
