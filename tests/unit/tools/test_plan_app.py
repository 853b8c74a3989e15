"""The page that shows a plan (MCP Apps): who is told of it, what it is made of, and what it can't do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp import Client
from mcp.client.extension import advertise
from mcp_types import TextResourceContents

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.http.settings import HttpSettings, approvals_address
from homelab_mcp.server import HomelabServer, Offer, build
from homelab_mcp.tools.plan_app import PAGE_KEY, URI
from tests.unit.tools.test_budget import MOST_BYTES, MOST_TOKENS, tokens

MIME = "text/html;profile=mcp-app"
APPS = advertise("io.modelcontextprotocol/ui", {"mimeTypes": [MIME]})
OTHER_FORMAT = advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/uri-list"]})
COMPOSE = "services:\n  blog:\n    image: ghost:5.1\n"
PAGE = Path(__file__).resolve().parents[3] / "src/homelab_mcp/tools/plan_app.html"

Era = Literal["legacy", "auto"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lab"
    (root / "apps").mkdir(parents=True)
    (root / "homelab.yaml").write_text("domain: lab.test\n")
    (root / "apps/compose.yaml").write_text(COMPOSE)
    return root


def server(root: Path, approvals: str = "", *sets: str) -> HomelabServer:
    return build(open_lab(str(root), files_only=True), offer=Offer(sets or ("all",)), approvals=approvals)


async def tools(client: Client) -> dict[str, dict[str, Any]]:
    listed = (await client.list_tools()).tools
    return {t.name: t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in listed}


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_only_clients_that_declare_the_extension_are_told(root: Path, era: Era) -> None:
    one = server(root)
    seen: list[set[str]] = []
    for extensions in ([], [APPS], [OTHER_FORMAT], [APPS], []):
        async with Client(one, mode=era, extensions=extensions) as client:
            listed = await tools(client)
            there = {r.uri for r in (await client.list_resources()).resources}
        if extensions != [APPS]:
            assert not [t for t in listed.values() if "_meta" in t]
            assert URI not in there
            continue
        assert URI in there
        seen.append({name for name, t in listed.items() if "resourceUri" in t["_meta"]["ui"]})
    assert seen[0] == seen[1]
    assert {"get_plan", "add_service", "set_env", "rollback", "restore_backup"} <= seen[0]
    assert not seen[0] & {"apply_plan", "lab_status", "read_logs", "search_catalog"}


async def test_no_tool_is_the_pages_to_call(root: Path) -> None:
    async with Client(server(root), extensions=[APPS]) as client:
        listed = await tools(client)
    assert {json.dumps(t["_meta"]["ui"]["visibility"]) for t in listed.values()} == {'["model"]'}
    assert {t["_meta"]["ui"].get("resourceUri", URI) for t in listed.values()} == {URI}


async def test_the_list_stays_in_its_budget_with_the_page_in_it(root: Path) -> None:
    async with Client(server(root, "", "default"), extensions=[APPS]) as client:
        listed = list((await tools(client)).values())
    text = json.dumps({"tools": listed}, separators=(",", ":"), ensure_ascii=False)
    print(f"tools/list default, to a client with MCP Apps: {tokens(text):,} tokens, {len(text.encode()):,} bytes")
    assert len(text.encode()) <= MOST_BYTES
    # What a model is shown of a tool is its name, description and schema: `_meta` is the client's alone.
    shown = [{k: v for k, v in tool.items() if k != "_meta"} for tool in listed]
    assert tokens(json.dumps({"tools": shown}, separators=(",", ":"), ensure_ascii=False)) <= MOST_TOKENS


async def test_the_page_is_read_as_it_is_with_a_secret_in_the_lab(root: Path) -> None:
    (root / "apps/.env").write_text("DB_PASSWORD=tool-result-0123456789\n")
    async with Client(server(root), extensions=[APPS]) as client:
        (found,) = (await client.read_resource(URI)).contents
    assert isinstance(found, TextResourceContents)
    assert (found.mime_type, found.text) == (MIME, PAGE.read_text("utf-8"))
    # Without a list of hosts the client's own rule counts, which lets the page reach none.
    assert found.meta == {"ui": {"prefersBorder": True}}


def test_the_page_has_nothing_from_elsewhere_makes_no_markup_and_calls_no_tool() -> None:
    text = PAGE.read_text("utf-8")
    assert not re.findall(r"(?:src|href|action)\s*=|url\(|@import|https?://(?!\[)", text.replace("/^https?:", ""))
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy and policy[0].startswith("default-src 'none'")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        "srcdoc",
        "fetch(",
    ):
        assert word not in text, word
    # Everything that it asks of the host: to begin, and to open the approval page when a person presses the button.
    assert set(re.findall(r'\bask\("([^"]+)"', text)) == {"ui/initialize", "ui/open-link"}
    for word in ("tools/call", "ui/message", "ui/update-model-context", "resources/read"):
        assert word not in text, word
    assert "cannot approve" in text


async def test_a_plans_answer_tells_the_approval_page_to_such_clients_alone(root: Path) -> None:
    with_page = server(root, "https://approvals.lab.test/approvals/")
    for one, extensions, told in (
        (with_page, [APPS], True),
        (with_page, [], False),
        (server(root), [APPS], False),
    ):
        async with Client(one, extensions=extensions) as client:
            plan = await client.call_tool("update_service", {"service": "blog", "tag": "5.2"})
            looked = await client.call_tool("lab_status", {})
        assert plan.structured_content is not None
        where = f"https://approvals.lab.test/approvals/plans/{plan.structured_content['plan_id']}"
        assert (plan.meta or {}).get(PAGE_KEY) == (where if told else None)
        assert PAGE_KEY not in (looked.meta or {})
        # The text is whole for everybody.
        text = plan.content[0].text  # type: ignore[union-attr]
        assert json.loads(text) == plan.structured_content
        assert "ghost:5.2" in text


def test_where_the_approval_page_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOMELAB_APPROVALS_URL", raising=False)
    assert approvals_address() == ""
    assert approvals_address(HttpSettings("127.0.0.1", 8765)) == "http://127.0.0.1:8765/approvals/"
    assert approvals_address(HttpSettings("0.0.0.0", 8765, tls_cert="a", tls_key="b")) == ""
    monkeypatch.setenv("HOMELAB_APPROVALS_URL", "https://approvals.lab.test/")
    for settings in (None, HttpSettings("0.0.0.0", 8765)):
        assert approvals_address(settings) == "https://approvals.lab.test/approvals/"
