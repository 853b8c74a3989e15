"""What starts when a link of the documentation is clicked, or a registry's entry is installed: our server, with tools.

Each link is taken apart as its client does it (VS Code: URL-encoded JSON; Cursor: Base64), ``server.json`` as a client
of the registry does, and what comes out is started with the SDK's client. Only ``uvx`` is left out: it would fetch the
package that is here already.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from mcp import Client, StdioServerParameters

from homelab_mcp import __version__
from tests.e2e.server import LabOnDisk

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "homelab-mcp-server"

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True, slots=True)
class Start:
    """How a client would start the server."""

    command: str
    args: list[str]
    env: Mapping[str, str] = field(default_factory=dict)


def from_vscode(link: str) -> Start:
    """As https://insiders.vscode.dev/redirect leads on to it: one URL in another."""
    parts = urlsplit(link)
    if parts.scheme == "https":
        assert (parts.netloc, parts.path) == ("insiders.vscode.dev", "/redirect")
        (link,) = parse_qs(parts.query, strict_parsing=True)["url"]
    assert link.startswith("vscode:mcp/install?")
    entry = json.loads(unquote(link.removeprefix("vscode:mcp/install?")))
    assert set(entry) == {"name", "type", "command", "args"}
    assert (entry["name"], entry["type"]) == ("homelab", "stdio")
    return Start(entry["command"], entry["args"])


def from_cursor(link: str) -> Start:
    parts = urlsplit(link)
    where = (parts.scheme, parts.netloc, parts.path)
    assert where in {
        ("https", "cursor.com", "/en/install-mcp"),
        ("cursor", "anysphere.cursor-deeplink", "/mcp/install"),
    }
    query = parse_qs(parts.query, strict_parsing=True)
    assert query["name"] == ["homelab"]
    entry = json.loads(base64.b64decode(query["config"][0], validate=True))
    assert set(entry) == {"command", "args"}
    return Start(entry["command"], entry["args"])


def from_registry(text: str) -> Start:
    """The registry's entry with every default taken, as a client that asks its person nothing more would."""
    entry = json.loads(text)
    (package,) = entry["packages"]
    assert (package["registryType"], package["transport"]) == ("pypi", {"type": "stdio"})
    arguments: list[str] = []
    for argument in package["packageArguments"]:
        value = argument.get("value", argument.get("default"))
        arguments += [argument["name"], value] if argument["type"] == "named" else [value]
    env = {one["name"]: one["default"] for one in package["environmentVariables"]}
    assert package["version"] == __version__
    return Start(package["runtimeHint"], [package["identifier"], *arguments], env)


def linked(page: str, host: str) -> str:
    """The page's one link to that host."""
    (link,) = set(re.findall(rf"\]\((https://{re.escape(host)}/[^)\s]+)\)", (ROOT / page).read_text("utf-8")))
    return str(link)


def made(lab: LabOnDisk, client: str) -> str:
    """The link that ``connect`` makes for this lab."""
    link: str = lab.json("connect", client)["links"][client]
    return link


WAYS: dict[str, Callable[[LabOnDisk], Start]] = {
    "docs-vscode": lambda _: from_vscode(linked("docs/connecting.md", "insiders.vscode.dev")),
    "docs-cursor": lambda _: from_cursor(linked("docs/connecting.md", "cursor.com")),
    "server-json": lambda _: from_registry((ROOT / "server.json").read_text("utf-8")),
    "link-vscode": lambda lab: from_vscode(made(lab, "vscode")),
    "link-cursor": lambda lab: from_cursor(made(lab, "cursor")),
}


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_click_installs_starts_and_offers_the_tools(lab: LabOnDisk, way: str) -> None:
    start = WAYS[way](lab)
    command, args = start.command, start.args
    if command == "uvx":
        # `uvx PACKAGE` runs the command of the package's own name.
        assert args[0] == PACKAGE
        command, args = str(Path(sys.executable).with_name(PACKAGE)), args[1:]
    env: dict[str, Any] = {**lab.env(), **start.env}
    # The one default that means a place on the person's machine.
    assert env["HOMELAB_ROOT"] in (str(lab.root), "/opt/stacks")
    env |= {"HOMELAB_ROOT": str(lab.root)}
    del env["HOMELAB_TOOLSETS"]
    async with Client(StdioServerParameters(command=command, args=args, env=env)) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        status = await client.call_tool("lab_status", {})
    assert {"add_service", "get_plan", "apply_plan"} <= tools
    assert "traefik" in str(status.structured_content)
