"""check_certs, renew_certs, get_env and set_env as a client calls them: no key and no value of a secret comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from typer.testing import CliRunner

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.cli.app import app
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Requester
from homelab_mcp.server import build
from homelab_mcp.tools.get_env import page_of
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_env import propose_rotate
from tests.unit.core.certs_made import KEY_CANARY, NOW, entry, store

CANARY = "c4n4ry-9137xyz-v4lue"
TRAEFIK = """services:
  traefik:
    image: traefik:v3.7
    command:
      - --certificatesresolvers.le.acme.storage=/le/acme.json
      - --certificatesresolvers.le.acme.tlschallenge=true
    volumes: ['./le:/le']
    environment: {TOKEN: '${DUCKDNS_TOKEN}'}
    labels: {traefik.http.routers.a.rule: 'Host(`a.lab.test`)'}
"""
DATABASE = """services:
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: '${DB_PASSWORD}'}
  app:
    image: app:1
    environment: {SESSION_SECRET: '${SESSION_SECRET}', TZ: '${TZ}'}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "stacks"
    init_lab(open_lab(str(made), files_only=True), {"domain": "lab.test"}, "27182818")
    for stack, text, env in (
        ("core", TRAEFIK, f"DUCKDNS_TOKEN={CANARY}\n"),
        ("data", DATABASE, f"DB_PASSWORD={CANARY}1\nSESSION_SECRET={CANARY}2\nGONE=1\n"),
    ):
        (made / stack).mkdir()
        (made / stack / "compose.yaml").write_text(text)
        (made / stack / ".env").write_text(env)
    (made / "core/le").mkdir()
    (made / "core/le/acme.json").write_text(store(entry(("a.lab.test",), 0xA1, begun=NOW), resolver="le"))
    return made


def lab_at(root: Path) -> LocalLab:
    return open_lab(str(root), files_only=True)


async def call(root: Path, tool: str, **arguments: Any) -> dict[str, Any]:
    async with Client(build(lab_at(root))) as client:
        found = await client.call_tool(tool, arguments)
    text = found.content[0].text if found.content else ""  # type: ignore[union-attr]
    assert CANARY not in text
    assert KEY_CANARY not in text
    return {**(found.structured_content or {}), "error": bool(found.is_error), "text": text}


async def test_certificates_are_told_without_their_keys_and_renewed_only_with_docker(root: Path) -> None:
    told = await call(root, "check_certs")
    assert told["stored"][0]["domains"] == ["a.lab.test"]
    assert told["stored"][0]["serial"] == "a1"
    row = told["routes"][0]
    assert (row["host"], row["service"], row["status"]) == ("a.lab.test", "core/traefik", "no_answer")
    assert told["verdict"] == "unseen"
    assert "plan_needs_docker" in (await call(root, "renew_certs"))["text"]


async def test_variables_are_listed_by_name_and_checked(root: Path) -> None:
    whole = await call(root, "get_env")
    assert {s["stack"]: s.get("set") for s in whole["stacks"]} == {".": None, "core": 1, "data": 3}
    assert next(s for s in whole["stacks"] if s["stack"] == "data")["unset"] == ["TZ"]
    one = await call(root, "get_env", stack="data", check=True)
    rows = {v["name"]: v for v in one["variables"]}
    assert rows["DB_PASSWORD"] == {"name": "DB_PASSWORD", "state": "set", "secret": True, "used_by": ["db"]}
    assert {(p["kind"], p["name"]) for p in one["problems"]} == {("unset", "TZ"), ("unused", "GONE")}
    assert (await call(root, "get_env", stack="nope"))["error"]


def test_a_page_after_the_last_problem_does_not_say_that_there_are_none() -> None:
    found = {
        "stack": "data",
        "variables": [{"name": f"V{n}", "used_by": ["x" * 60]} for n in range(400)],
        "problems": [{"name": "w" * 100, "kind": "unset"} for _ in range(150)],
    }
    told, offset = [], 0
    while True:
        page = page_of(found, offset).model_dump()
        told.append("problems" in page)
        assert bool(page.get("problems")) is (offset < 150) is told[-1]
        if not (offset := page.get("next_offset", 0)):
            break
    assert told[:2] == [True, True]
    assert told[-1] is False
    assert page_of({**found, "problems": []}, 0).model_dump()["problems"] == []
    assert "problems" not in page_of({"stack": "data", "variables": found["variables"]}, 0).model_dump()


async def test_the_whole_labs_variables_are_set_by_a_plan(root: Path) -> None:
    plan = await call(root, "set_env", stack=".", values={"TZ": "Europe/Berlin"})
    assert plan["state"] == "pending"
    assert plan["risk"] == "high"
    assert "global.env" in plan["diff"]
    assert not (root / "global.env").exists()


async def test_a_databases_password_is_not_replaced_by_a_new_value_alone(root: Path) -> None:
    refused = await call(root, "set_env", stack="data", generate=["DB_PASSWORD"])
    assert "rotation_guided" in refused["text"]
    assert "ALTER USER" in refused["text"]
    assert (await call(root, "set_env", stack="data", generate=["SESSION_SECRET"]))["state"] == "pending"
    plan = propose_rotate(lab_at(root), "data", ["SESSION_SECRET"], Requester("cli"))
    assert plan.draft.edits[0].after
    assert f"{CANARY}2" not in plan.draft.edits[0].after
    assert f"{CANARY}1" in plan.draft.edits[0].after
    with pytest.raises(InvalidInput) as told:
        propose_rotate(lab_at(root), "data", ["NOT_THERE"], Requester("cli"))
    assert told.value.code == "variable_unknown"


def run(root: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["--files-only", "--root", str(root), *words])
    assert CANARY not in done.output
    assert KEY_CANARY not in done.output
    return done.exit_code, done.output


def test_the_commands_say_by_their_exit_code_what_cron_wants_to_know(root: Path) -> None:
    assert run(root, "certs", "check")[0] == 2, "no Traefik answers here"
    # The stored one lasts ninety days from a moment in 2027.
    code, told = run(root, "certs", "check", "--days", "100000")
    assert code == 1
    assert "a.lab.test" in told
    code, told = run(root, "env", "check", "--json")
    assert code == 0
    assert {p["name"] for p in json.loads(told)["problems"]} >= {"TZ", "GONE"}
    with (root / "data/.env").open("a") as file:
        file.write("APP_PASSWORD=changeme\n")
    code, told = run(root, "env", "check", "data")
    assert code == 1
    assert "everybody tries" in told
    code, told = run(root, "env", "list", "data")
    assert code == 0
    assert "SESSION_SECRET  secret  app" in told


def test_how_certificates_are_got_is_changed_by_a_plan(root: Path) -> None:
    code, told = run(root, "certs", "configure", "--staging", "--plan-only", "--json")
    assert code == 3, told
    plan = json.loads(told)
    assert "staging: true" in plan["diff"]
    assert plan["risk"] == "high"
    assert run(root, "certs", "configure")[0] == 1
    code, told = run(root, "env", "set", ".", "TZ=Europe/Berlin", "--plan-only", "--json")
    assert code == 3, told
    assert "global.env" in json.loads(told)["diff"]
