"""What each MCP client's configuration file must hold to reach this server, and how it joins what is there already."""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from homelab_mcp.model.errors import InvalidInput

SERVER = "homelab"
TOKEN_VARIABLE = "HOMELAB_MCP_TOKEN"  # noqa: S105 - a name
INPUT = "homelab-token"


@dataclass(frozen=True, slots=True)
class Way:
    """How a client reaches the server: a command over stdio, or a URL of Streamable HTTP.

    Args:
        command: the program with its arguments; unused where ``url`` is set.
        url: ends in ``/mcp``; "" for stdio.
    """

    command: tuple[str, ...]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """One client's file.

    Args:
        path: where it is, ``~`` for the home folder; relative ones are the workspace's.
        servers: the key that holds the servers.
        secret: how its file refers to a token that is kept elsewhere.
        http: whether it takes a URL.
    """

    name: str
    title: str
    path: str
    servers: str
    secret: str = ""
    http: bool = True
    stdio: bool = True


CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        # code.visualstudio.com/docs/copilot/reference/mcp-configuration: servers, inputs, ${input:id}.
        Client("vscode", "VS Code Copilot Chat", ".vscode/mcp.json", "servers", f"${{input:{INPUT}}}"),
        # modelcontextprotocol.io/docs/develop/connect-local-servers: mcpServers; stdio alone.
        Client("claude", "Claude Desktop", "~/.config/Claude/claude_desktop_config.json", "mcpServers", http=False),
        # cursor.com/docs/context/mcp: mcpServers, ${env:NAME}.
        Client("cursor", "Cursor", ".cursor/mcp.json", "mcpServers", f"${{env:{TOKEN_VARIABLE}}}"),
        # developers.openai.com/codex/mcp: TOML, [mcp_servers.NAME], bearer_token_env_var.
        Client("codex", "Codex", "~/.codex/config.toml", "mcp_servers", TOKEN_VARIABLE),
        # docs.openwebui.com: entered by an administrator, or its admin API; Streamable HTTP alone.
        Client("openwebui", "OpenWebUI", "", "TOOL_SERVER_CONNECTIONS", stdio=False),
        Client("generic", "any client with mcp.json", "mcp.json", "mcpServers", f"${{{TOKEN_VARIABLE}}}"),
    )
}


def check_url(url: str) -> str:
    """The URL of the server's MCP endpoint. Raises InvalidInput when it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise InvalidInput(
            f"{url!r} is no address of a server.", hint="For example: --http https://mcp.example.org/mcp"
        )
    return url if parts.path.rstrip("/") else f"{url.rstrip('/')}/mcp"


def entry(client: Client, way: Way, *, token: bool) -> dict[str, Any]:
    """The client's entry for the server. ``token``: send one, which the file refers to and never holds.

    Raises:
        InvalidInput: the client does not take this way (code ``transport_unknown``).
    """
    if way.url and not client.http:
        raise InvalidInput(
            f"{client.title} starts its servers itself.", hint="Leave --http out.", code="transport_unknown"
        )
    if not way.url and not client.stdio:
        raise InvalidInput(
            f"{client.title} takes servers over HTTP alone.",
            hint="`homelab-mcp serve --http 127.0.0.1:8765`, then add --http http://127.0.0.1:8765/mcp here.",
            code="transport_unknown",
        )
    if client.name == "openwebui":
        return {
            "url": way.url, "path": "", "type": "mcp", "auth_type": "bearer" if token else "none", "key": "",
            "headers": None, "config": {"enable": True},
            "info": {"id": SERVER, "name": "Homelab", "description": "The homelab: plans that a person approves."},
        }  # fmt: skip
    typed = client.name == "vscode"
    if not way.url:
        found: dict[str, Any] = {"command": way.command[0], "args": list(way.command[1:])}
        return {"type": "stdio", **found} if typed else found
    if client.name == "codex":
        return {"url": way.url, **({"bearer_token_env_var": client.secret} if token else {})}
    found = {"type": "http", "url": way.url} if typed or client.name == "generic" else {"url": way.url}
    return {**found, "headers": {"Authorization": f"Bearer {client.secret}"}} if token else found


def with_connection(
    servers: Sequence[Mapping[str, Any]], body: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any] | None, dict[str, Any]]:
    """OpenWebUI's tool servers with this entry among them, in the place of an older one; that one; the entry.

    An older one is told by its id. It gets another way to the server and stays as the administrator left it otherwise
    (name, access, headers); so does its key where the entry brings none.
    """
    found = [dict(one) for one in servers]
    for n, one in enumerate(found):
        info = one.get("info")
        if isinstance(info, dict) and info.get("id") == SERVER and one.get("type") == "mcp":
            way = {name: body[name] for name in ("url", "path", "auth_type")}
            new = {**one, **way, "key": body["key"] or one.get("key") or ""}
            return [*found[:n], new, *found[n + 1 :]], one, new
    return [*found, dict(body)], None, dict(body)


def without_key(one: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as it may be shown: headers of a person's own may hold a secret too."""
    return {**one, **{name: "(set, not shown)" for name in ("key", "headers") if one.get(name)}}


def joined(client: Client, before: str, body: Mapping[str, Any]) -> str:
    """The client's file with the entry in it; all else stays as it was.

    Raises:
        InvalidInput: the file is not what the client takes (code ``config_unreadable``); it is left alone.
    """
    if client.name == "codex":
        return _joined_toml(before, body)
    data = _read(client, before)
    servers = data.setdefault(client.servers, {})
    if not isinstance(servers, dict):
        raise _unreadable(client)
    servers[SERVER] = dict(body)
    if client.name == "vscode" and INPUT in json.dumps(body):
        inputs = data.setdefault("inputs", [])
        if not isinstance(inputs, list):
            raise _unreadable(client)
        if not any(isinstance(i, dict) and i.get("id") == INPUT for i in inputs):
            inputs.append(
                {"type": "promptString", "id": INPUT, "description": "Token of homelab-mcp", "password": True}
            )
    return json.dumps(data, indent=_indent(before), ensure_ascii=False) + "\n"


def _read(client: Client, before: str) -> dict[str, Any]:
    if not before.strip():
        return {}
    try:
        data = json.loads(before)
    except ValueError:
        # Comments, or a slip: what we cannot read whole we would not write back whole.
        raise _unreadable(client) from None
    if not isinstance(data, dict):
        raise _unreadable(client)
    return data


_FORMATS = {"codex": "TOML"}


def _unreadable(client: Client) -> InvalidInput:
    return InvalidInput(
        f"The configuration of {client.title} that is there is no plain {_FORMATS.get(client.name, 'JSON')} of the "
        "kind it takes.",
        hint="Leave --write out, and add the shown entry by hand.",
        code="config_unreadable",
    )


def _indent(text: str) -> int | str:
    """The indentation that a JSON file uses."""
    for line in text.splitlines()[1:]:
        lead = line[: len(line) - len(line.lstrip())]
        if lead:
            return lead
    return 2


def _joined_toml(before: str, body: Mapping[str, Any]) -> str:
    """The text with a table of ours at its end; a table of that name that is there is replaced, up to the next one."""
    head = f"[mcp_servers.{SERVER}]"
    kept: list[str] = []
    ours = False
    for line in before.splitlines():
        if line.strip().startswith("["):
            ours = line.strip() == head
        if not ours:
            kept.append(line)
    table = [head, *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in body.items())]
    text = "\n".join(kept).rstrip()
    after = (f"{text}\n\n" if text else "") + "\n".join(table) + "\n"
    try:
        found = tomllib.loads(after)
    except tomllib.TOMLDecodeError:
        # It was none before, or has a table of ours in a form that a line does not tell.
        raise _unreadable(CLIENTS["codex"]) from None
    if any(found["mcp_servers"][SERVER].get(key) != value for key, value in body.items()):
        raise _unreadable(CLIENTS["codex"])
    return after


def links(way: Way) -> dict[str, str]:
    """Links that offer to add the server when they are clicked, by client; a token is entered after.

    vscode: ``vscode:mcp/install?`` and the URL-encoded entry with its name; cursor: the entry in Base64.
    """
    vscode = {"name": SERVER, **entry(CLIENTS["vscode"], way, token=False)}
    cursor = json.dumps(entry(CLIENTS["cursor"], way, token=False), separators=(",", ":"))
    encoded = quote(base64.b64encode(cursor.encode()).decode(), safe="")
    return {
        "vscode": "vscode:mcp/install?" + quote(json.dumps(vscode, separators=(",", ":")), safe=""),
        "cursor": f"cursor://anysphere.cursor-deeplink/mcp/install?name={SERVER}&config={encoded}",
    }


def web_links(way: Way) -> dict[str, str]:
    """The same as https addresses, for pages that drop other schemes (Markdown on forges); each leads on to the app."""
    found = links(way)
    return {
        "vscode": "https://insiders.vscode.dev/redirect?url=" + quote(found["vscode"], safe=""),
        "cursor": "https://cursor.com/en/install-mcp?" + urlsplit(found["cursor"]).query,
    }


def command(program: str, root: str, toolsets: str = "", *, files_only: bool = False) -> tuple[str, ...]:
    """The command that serves this lab over stdio."""
    options: Sequence[str] = ("--files-only",) if files_only else ()
    return (program, "--root", root, *options, "serve", *(("--toolsets", toolsets) if toolsets else ()))
