"""Each client's configuration: the shape it documents, other servers kept, no token in it."""

from __future__ import annotations

import base64
import json
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jsonschema_rs
import pytest

from homelab_mcp.core.client_config import (
    CLIENTS,
    SERVER,
    Way,
    check_url,
    command,
    entry,
    joined,
    links,
    web_links,
    with_connection,
    without_key,
)
from homelab_mcp.model.errors import InvalidInput

STDIO = Way(command("/opt/venv/bin/homelab-mcp", "/opt/stacks", "core,ops"))
HTTP = Way((), "https://mcp.example.org/mcp")

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
NAMED_TEXTS = {"type": "object", "additionalProperties": TEXT}
URL = {"type": "string", "pattern": "^https?://.+"}


def either(local: dict[str, Any], remote: dict[str, Any], needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """Servers by name, each with exactly the fields of one that the client starts, or of one that it connects to."""
    kinds = [
        {"type": "object", "required": [*needed, first], "additionalProperties": False, "properties": fields}
        for first, fields in (("command", local), ("url", remote))
    ]
    return {"type": "object", "additionalProperties": {"oneOf": kinds}}


LOCAL = {"type": {"const": "stdio"}, "command": TEXT, "args": TEXTS, "env": NAMED_TEXTS, "envFile": TEXT}
REMOTE = {"type": {"enum": ["http", "sse"]}, "url": URL, "headers": NAMED_TEXTS}
CODEX_BOTH = {
    "enabled": {"type": "boolean"}, "required": {"type": "boolean"}, "enabled_tools": TEXTS, "disabled_tools": TEXTS,
    "startup_timeout_sec": {"type": "number"}, "tool_timeout_sec": {"type": "number"},
}  # fmt: skip
PROMPT = {
    "type": "object", "required": ["id", "type", "description"], "additionalProperties": False,
    "properties": {
        "id": TEXT, "type": {"const": "promptString"}, "description": TEXT, "default": TEXT,
        "password": {"type": "boolean"},
    },
}  # fmt: skip
DOCUMENTED: dict[str, dict[str, Any]] = {
    "vscode": {
        "required": ["servers"], "additionalProperties": False,
        "properties": {
            "servers": either({**LOCAL, "cwd": TEXT}, REMOTE, ("type",)), "inputs": {"type": "array", "items": PROMPT},
        },
    },
    "claude": {"required": ["mcpServers"], "properties": {
        "mcpServers": {"additionalProperties": {
            "type": "object", "required": ["command"], "additionalProperties": False,
            "properties": {"command": TEXT, "args": TEXTS, "env": NAMED_TEXTS},
        }},
    }},
    "cursor": {"required": ["mcpServers"], "properties": {"mcpServers": either(LOCAL, REMOTE)}},
    "codex": {"required": ["mcp_servers"], "properties": {"mcp_servers": either(
        {"command": TEXT, "args": TEXTS, "env": NAMED_TEXTS, "cwd": TEXT, **CODEX_BOTH},
        {
            "url": URL, "bearer_token_env_var": TEXT, "http_headers": NAMED_TEXTS, "env_http_headers": NAMED_TEXTS,
            **CODEX_BOTH,
        },
    )}},
    "generic": {"required": ["mcpServers"], "properties": {"mcpServers": either(LOCAL, REMOTE)}},
}  # fmt: skip
"""The shapes by client, written down by hand: no package that could be pinned here carries any of them.

Where a client has a schema, thousands of changed configurations were judged by both in November 2026: whatever this
one takes, that one takes.

- VS Code has its schema in its source alone: microsoft/vscode src/vs/workbench/contrib/mcp/common/mcpConfiguration.ts
  (at 0b37532c) for servers, and src/vs/workbench/services/configurationResolver/common/configurationResolverSchema.ts
  (at 03ed7529) for inputs. This one is narrower: ``type`` is needed, no ``dev``, and an input is a promptString.
- Codex publishes openai/codex codex-rs/core/config.schema.json; its npm package has only the program. By
  ``RawMcpServerConfig`` there (at 000c857e); this one is narrower: a command or a URL, never both.
- Claude Desktop, Cursor and "any client with mcp.json" publish no schema of their files (the ``schemastore`` package
  has none either): by their documentation, whose pages ``core/client_config.py`` names.
"""


def read(client: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(text) if client == "codex" else json.loads(text)
    return found


@pytest.mark.parametrize("way", [STDIO, HTTP], ids=["stdio", "http"])
@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_configuration_has_the_shape_the_client_documents(name: str, way: Way) -> None:
    client = CLIENTS[name]
    if way.url and not client.http:
        with pytest.raises(InvalidInput, match="starts its servers itself"):
            entry(client, way, token=True)
        return
    data = read(name, joined(client, "", entry(client, way, token=bool(way.url))))
    jsonschema_rs.validate(DOCUMENTED[name], data)
    mine = data[client.servers][SERVER]
    if way.url:
        assert mine["url"] == HTTP.url
        assert client.secret in json.dumps(mine)
    else:
        assert [mine["command"], *mine["args"]] == list(STDIO.command)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("vscode", {"mcpServers": {"a": {"type": "stdio", "command": "x"}}}),
        ("vscode", {"servers": {"a": {"command": "x"}}}),
        ("vscode", {"servers": {"a": {"type": "http", "url": "ftp://x"}}}),
        ("vscode", {"servers": {"a": {"type": "http", "url": "http://x", "command": "x"}}}),
        ("vscode", {"servers": {}, "inputs": [{"type": "promptString", "id": "a"}]}),
        ("claude", {"mcpServers": {"a": {"url": "https://x/mcp"}}}),
        ("claude", {"servers": {"a": {"command": "x"}}}),
        ("cursor", {"mcpServers": {"a": {"command": ["x"]}}}),
        ("cursor", {"mcpServers": {"a": {"url": "https://x/mcp", "bearer_token_env_var": "T"}}}),
        ("codex", {"mcp_servers": {"a": {"url": "https://x/mcp", "headers": {"Authorization": "x"}}}}),
        ("codex", {"mcp_servers": {"a": {"type": "stdio", "command": "x"}}}),
        ("codex", {"mcpServers": {"a": {"command": "x"}}}),
        ("generic", {"mcpServers": {"a": {"args": ["x"]}}}),
    ],
)
def test_a_configuration_that_the_client_would_not_take_is_seen(name: str, wrong: dict[str, Any]) -> None:
    assert not jsonschema_rs.is_valid(DOCUMENTED[name], wrong)


@pytest.mark.parametrize("name", [n for n in DOCUMENTED if n != "codex"])
def test_what_is_in_the_file_stays(name: str) -> None:
    client = CLIENTS[name]
    there = {"other": {"a": [1, "ü"]}, client.servers: {"mine": {"command": "x"}, SERVER: {"command": "old"}}}
    text = joined(client, json.dumps(there, indent=4), entry(client, STDIO, token=False))
    data = json.loads(text)
    assert data["other"] == there["other"]
    assert data[client.servers]["mine"] == {"command": "x"}
    assert list(data) == list(there)
    assert '\n    "other"' in text
    assert joined(client, text, entry(client, STDIO, token=False)) == text


def test_a_toml_file_keeps_its_tables_and_comments() -> None:
    client = CLIENTS["codex"]
    before = (
        '# mine\nmodel = "m"\n\n[mcp_servers.homelab]\ncommand = "old"\n\n[mcp_servers.other] # keep\ncommand = "x"\n'
    )
    text = joined(client, before, entry(client, HTTP, token=True))
    assert text.startswith(
        '# mine\nmodel = "m"\n\n[mcp_servers.other] # keep\ncommand = "x"\n\n[mcp_servers.homelab]\n'
    )
    assert tomllib.loads(text)["mcp_servers"]["homelab"] == {
        "url": HTTP.url,
        "bearer_token_env_var": "HOMELAB_MCP_TOKEN",
    }
    assert joined(client, text, entry(client, HTTP, token=True)) == text


@pytest.mark.parametrize("there", ['{"servers": []}', "[]", "{ // a comment\n}", "{", '{"servers": {}, "inputs": {}}'])
def test_a_file_that_cannot_be_kept_whole_is_left_alone(there: str) -> None:
    client = CLIENTS["vscode"]
    with pytest.raises(InvalidInput) as caught:
        joined(client, there, entry(client, HTTP, token=True))
    assert caught.value.code == "config_unreadable"


def test_an_input_is_asked_for_once() -> None:
    client = CLIENTS["vscode"]
    body = entry(client, HTTP, token=True)
    data = json.loads(joined(client, joined(client, "", body), body))
    assert [i["id"] for i in data["inputs"]] == ["homelab-token"]
    assert data["inputs"][0]["password"] is True
    assert "inputs" not in json.loads(joined(client, "", entry(client, HTTP, token=False)))


def test_openwebui_takes_http_alone_and_no_key_is_written() -> None:
    client = CLIENTS["openwebui"]
    with pytest.raises(InvalidInput, match="HTTP alone"):
        entry(client, STDIO, token=False)
    body = entry(client, HTTP, token=True)
    assert (body["type"], body["auth_type"], body["key"], body["url"]) == ("mcp", "bearer", "", HTTP.url)


def test_openwebuis_other_servers_stay_and_an_older_entry_keeps_its_key_and_what_is_not_ours() -> None:
    other = {"url": "http://x", "type": "openapi", "key": "theirs", "info": None}
    body = entry(CLIENTS["openwebui"], HTTP, token=True)
    found, old, new = with_connection([other], {**body, "key": "mine"})
    assert (found, old) == ([other, {**body, "key": "mine"}], None)
    kept = {"forward_cookies": False, "headers": {"X-Pass": "also-mine"}, "config": {"enable": True, "access": ["me"]}}
    mine = {**found[1], "url": "http://old/mcp", **kept}
    again, old, new = with_connection([mine, other], body)
    assert again == [{**mine, "url": HTTP.url}, other]
    assert (old, new["key"]) == (mine, "mine")
    assert "mine" not in json.dumps(without_key(new))


def test_links_carry_the_same_entry() -> None:
    found = links(STDIO)
    vscode = json.loads(unquote(found["vscode"].removeprefix("vscode:mcp/install?")))
    assert vscode == {"name": SERVER, **entry(CLIENTS["vscode"], STDIO, token=False)}
    query = parse_qs(urlsplit(found["cursor"]).query)
    assert json.loads(base64.b64decode(query["config"][0])) == entry(CLIENTS["cursor"], STDIO, token=False)


def test_an_address_gets_the_servers_path_and_holds_no_secret() -> None:
    assert check_url("http://nas:8765") == "http://nas:8765/mcp"
    assert check_url("https://mcp.example.org/mcp") == "https://mcp.example.org/mcp"
    for bad in ("nas:8765", "https://me:secret@nas/mcp", "https://nas/mcp?token=1", "ftp://nas"):
        with pytest.raises(InvalidInput):
            check_url(bad)


def test_the_links_of_the_documentation_lead_to_the_app_and_start_what_the_registry_starts() -> None:
    way = Way(("uvx", "homelab-mcp-server", "serve"))
    found = web_links(way)
    page = (Path(__file__).parents[3] / "docs" / "connecting.md").read_text("utf-8")
    assert [f"]({link})" in page for link in found.values()] == [True, True]
    (inner,) = parse_qs(urlsplit(found["vscode"]).query)["url"]
    assert inner == links(way)["vscode"]
    query = parse_qs(urlsplit(found["cursor"]).query)
    assert json.loads(base64.b64decode(query["config"][0])) == {
        "command": "uvx",
        "args": ["homelab-mcp-server", "serve"],
    }


@pytest.mark.parametrize(
    "before",
    [
        '[mcp_servers.homelab] # mine\ncommand = "x"\n',
        '[ mcp_servers . "homelab" ]\ncommand = "x"\n',
        'mcp_servers = { homelab = { command = "x" } }\n',
        "a = [\n",
    ],
)
def test_a_codex_file_that_would_be_broken_is_left_alone(before: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        joined(CLIENTS["codex"], before, {"command": "homelab-mcp", "args": []})
    assert refused.value.code == "config_unreadable"
    assert "TOML" in refused.value.message
