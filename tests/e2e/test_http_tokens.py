"""Tokens over real HTTP: who gets in, and what they may call."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.token import ALL_SCOPES, Scope
from homelab_mcp.tools.access import SCOPES
from homelab_mcp.workflow.init_lab import init_lab
from tests.e2e.http_server import HEADERS, PING, Served, bearer, client_of, serving
from tests.e2e.server import ERAS, PIN, Era, LabOnDisk, call, data, types_the_name

STATIC = "static-canary-0123456789abcdef"


def made(root: Path) -> LabOnDisk:
    """A lab with nothing in it, made in this process."""
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, PIN)
    return LabOnDisk(root, {"HOMELAB_FILES_ONLY": "1"})


def make(lab: LabOnDisk, name: str, *scopes: Scope) -> str:
    return open_lab(str(lab.root)).tokens.create(name, scopes, 90)[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> LabOnDisk:
    return made(tmp_path_factory.mktemp("tokens") / "stacks")


@pytest.fixture(scope="module")
def tokens(home: LabOnDisk) -> dict[str, str]:
    look, plan, apply = ALL_SCOPES
    every = {"reader": (look,), "planner": (look, plan), "applier": (look, plan, apply), "plan-only": (plan,)}
    return {name: make(home, name, *scopes) for name, scopes in every.items()}


@pytest.fixture(scope="module")
def served(home: LabOnDisk, tokens: dict[str, str]) -> Iterator[Served]:
    home.environment["HOMELAB_HTTP_TOKEN"] = STATIC
    with serving(home) as server:
        del home.environment["HOMELAB_HTTP_TOKEN"]
        yield server
        said = "".join(server.said)
        assert not any(value in said for value in (*tokens.values(), STATIC))
        assert "Traceback" not in said


def test_no_route_answers_without_a_token(served: Served) -> None:
    paths = [
        "/mcp",
        "/",
        "/nowhere",
        "/mcp/",
        "/.well-known/oauth-protected-resource",
        "/healthzz",
        "/%68ealthz/../mcp",
    ]
    with httpx.Client(base_url=f"http://127.0.0.1:{served.port}") as http:
        for path in paths:
            for method in ("GET", "POST", "DELETE", "OPTIONS", "PUT"):
                for given in ({}, bearer("wrong"), {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
                    request = http.build_request(method, "/", json=PING, headers={**HEADERS, **given})
                    request.url = request.url.copy_with(raw_path=path.encode())
                    answer = http.send(request)
                    # After a burst of them who asks is told to wait, and still told nothing else.
                    assert answer.status_code in (401, 429), (method, path, given)
                    if answer.status_code == 401:
                        challenge = answer.headers["WWW-Authenticate"]
                        assert challenge.startswith('Bearer realm="homelab-mcp"')
                        assert ("invalid_token" in challenge) is bool(given)
                    else:
                        assert int(answer.headers["Retry-After"]) >= 1


def test_being_told_to_wait_does_not_lock_out_who_has_a_token(served: Served, tokens: dict[str, str]) -> None:
    refused = set()
    with httpx.Client() as http:
        for _ in range(500):
            refused.add(http.post(served.url, json=PING, headers={**HEADERS, **bearer("wrong")}).status_code)
            if 429 in refused:
                break
    assert refused in ({401, 429}, {429})
    assert served.post(**bearer(tokens["reader"])).status_code not in (401, 429)


def test_health_tells_nothing(served: Served) -> None:
    answer = httpx.get(f"http://127.0.0.1:{served.port}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "server" not in answer.headers
    foreign = httpx.get(f"http://127.0.0.1:{served.port}/healthz", headers={"Host": "evil.example"})
    assert foreign.status_code in (421, 429)


@pytest.mark.parametrize("era", ERAS)
async def test_each_token_sees_and_calls_what_it_may(served: Served, tokens: dict[str, str], era: Era) -> None:
    async def listed(token: str) -> list[str]:
        async with client_of(served.url, token, era) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    every = await listed(STATIC)
    assert await listed(tokens["applier"]) == every
    for name, scopes in (("reader", {"read"}), ("planner", {"read", "plan"}), ("plan-only", {"plan"})):
        assert await listed(tokens[name]) == [t for t in every if SCOPES[t] in scopes]
    async with client_of(served.url, tokens["reader"], era) as client:
        found = data(await call(client, "search_catalog", query="kuma"))
        assert found["matches"][0]["id"] == "uptime-kuma"


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_beyond_the_scope_fails_with_words(served: Served, tokens: dict[str, str], era: Era) -> None:
    before = served.lab.files()
    async with client_of(served.url, tokens["reader"], era) as client:
        for tool in (name for name, scope in SCOPES.items() if scope != "read"):
            with pytest.raises(Exception, match="insufficient_scope") as refused:
                await client.call_tool(tool, {"service": "uptime-kuma", "plan_id": "x" * 32})
            assert "reader" in str(refused.value)
    assert served.lab.files() == before


def test_http_says_403_with_the_scope_that_is_lacking(served: Served, tokens: dict[str, str]) -> None:
    body = {"jsonrpc": "2.0", "id": "a7", "method": "tools/call", "params": {"name": "add_service", "arguments": {}}}
    answer = served.post(body, **bearer(tokens["reader"]))
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="plan"' in answer.headers["WWW-Authenticate"]
    assert answer.json()["id"] == "a7"
    apply = {**body, "params": {"name": "apply_plan", "arguments": {"plan_id": "x" * 32}}}
    assert 'scope="apply"' in served.post(apply, **bearer(tokens["planner"])).headers["WWW-Authenticate"]


async def test_the_plan_and_the_journal_name_the_token(served: Served, tokens: dict[str, str]) -> None:
    async with client_of(served.url, tokens["planner"]) as client:
        plan = data(await call(client, "add_service", service="uptime-kuma", stack="monitoring"))
    noted = next(e for e in journal(served.lab) if e["event"] == "plan_made" and e["data"]["plan"] == plan["plan_id"])
    assert noted["data"]["asked_by"].endswith("token:planner")
    kept = b"".join(p.read_bytes() for p in (served.lab.root / ".homelab").rglob("*") if p.is_file())
    assert not any(value.encode() in kept for value in (*tokens.values(), STATIC))


def journal(lab: LabOnDisk) -> list[dict[str, Any]]:
    return open_lab(str(lab.root)).journal.entries()


@pytest.mark.parametrize("era", ERAS)
async def test_a_person_approves_in_the_dialog_of_a_client_with_a_token(
    served: Served, tokens: dict[str, str], era: Era
) -> None:
    name = f"kuma-{era}"
    async with client_of(served.url, tokens["applier"], era, answer=types_the_name) as client:
        plan = data(
            await call(client, "add_service", service="uptime-kuma", stack="monitoring", name=name, subdomain=name)
        )
        done = data(await call(client, "apply_plan", plan_id=plan["plan_id"]))
    assert done["state"] == "done", done
    said = [e for e in journal(served.lab) if plan["plan_id"] in str(e["data"])]
    assert any("token:applier" in str(e["data"].get("who")) for e in said)
    assert name in (served.lab.root / "monitoring" / "compose.yaml").read_text()


async def test_policy_rules_can_mean_a_token(served: Served, tokens: dict[str, str]) -> None:
    policy = served.lab.root / "policy.yaml"
    policy.write_text(
        "rules:\n  - client: token:plan*\n    approval: refuse\n    risk: high\n    why: Not from there.\n"
    )
    try:
        async with client_of(served.url, tokens["planner"]) as client:
            theirs = data(await call(client, "add_service", service="whoami", stack="monitoring"))
        async with client_of(served.url, tokens["applier"]) as client:
            others = data(await call(client, "add_service", service="whoami", stack="monitoring"))
    finally:
        policy.unlink()
    assert (theirs["risk"], others["risk"]) == ("high", "medium")


@pytest.mark.parametrize("era", ERAS)
async def test_revoked_and_new_tokens_count_without_a_restart(served: Served, era: Era) -> None:
    value = make(served.lab, f"passing-{era}", Scope.READ)
    async with client_of(served.url, value, era) as client:
        await call(client, "search_catalog", query="kuma")
        listed = {t["name"]: t for t in served.lab.json("token", "list")["tokens"]}
        assert listed[f"passing-{era}"]["used"] is not None
        assert listed[f"passing-{era}"]["scopes"] == ["read"]
        open_lab(str(served.lab.root)).tokens.revoke(f"passing-{era}")
        # Once an address was refused often enough, it is told to wait instead.
        with pytest.raises(Exception, match=r"token|[Ww]ait|[Tt]oo many"):
            await client.call_tool("search_catalog", {"query": "kuma"})
    assert served.post(**bearer(value)).status_code in (401, 429)


def test_a_session_belongs_to_the_token_that_opened_it(served: Served, tokens: dict[str, str]) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "token:applier", "version": "1"},
        },
    }
    opened = served.post(hello, **bearer(tokens["applier"]))
    session = opened.headers["mcp-session-id"]
    theirs = served.post(PING, **bearer(tokens["reader"]), mcp_session_id=session)
    assert theirs.status_code == 404
    assert served.post(PING, **bearer(tokens["applier"]), mcp_session_id=session).status_code == 200


def test_the_first_token_closes_a_server_that_was_open_and_revoking_it_does_not_open_it(
    tmp_path: Path,
) -> None:
    lab = made(tmp_path / "stacks")
    with serving(lab) as open_one:
        assert open_one.post().status_code not in (401, 403)
        created = lab.run("token", "create", "laptop")
        value = created.stdout.strip()
        assert created.returncode == 0
        assert value not in created.stderr
        assert open_one.post().status_code == 401
        assert open_one.post(**bearer(value)).status_code not in (401, 403)
        lab.json("token", "revoke", "laptop")
        assert open_one.post(**bearer(value)).status_code == 401
        (lab.root / ".homelab" / "tokens.json").unlink()
        assert open_one.post().status_code == 401, "a file that goes away does not open it"
        assert open_one.post(**bearer(value)).status_code == 401
    assert stat.S_IMODE((lab.root / ".homelab").stat().st_mode) == 0o700
    assert [e["event"] for e in journal(lab)][-2:] == ["token_created", "token_revoked"]
    assert value not in (lab.root / ".homelab" / "journal.jsonl").read_text()


def test_a_token_file_of_the_lab_that_is_broken_lets_nobody_in(tmp_path: Path) -> None:
    lab = made(tmp_path / "stacks")
    value = make(lab, "laptop", Scope.READ)
    with serving(lab) as server:
        assert server.post(**bearer(value)).status_code not in (401, 403)
        (lab.root / ".homelab" / "tokens.json").write_text("{")
        assert server.post(**bearer(value)).status_code == 401
        assert server.post().status_code == 401
    assert "no token of the lab counts" in "".join(server.said)
