"""The way by mcpo, which turns MCP into OpenAPI: what docs/connecting.md says of it, seen with the real mcpo.

By night: mcpo needs packages that do not go with ours, so it has an environment of its own (``script/openwebui``).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters

from testbed import free_port
from testbed.docker_engine import wait_until
from tests.doc_play import Shell, played
from tests.e2e.child import listening
from tests.e2e.http_server import serving
from tests.e2e.openwebui import ROOT
from tests.e2e.server import LabOnDisk

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]

PROGRAM = ROOT / ".openwebui" / "mcpo" / "bin" / "mcpo"
KEY = "key-of-a-test"
SERVE = [sys.executable, "-m", "homelab_mcp", "serve", "--read-only"]


@dataclass(frozen=True, slots=True)
class Mcpo:
    """One that runs."""

    address: str

    def post(self, tool: str, key: str = KEY, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.post(f"{self.address}/{tool}", json=arguments, headers=headers, timeout=60)

    def tools(self) -> dict[str, Any]:
        """The operations of its OpenAPI document, by tool."""
        paths = httpx.get(f"{self.address}/openapi.json", timeout=30).json()["paths"]
        return {path.removeprefix("/"): operations for path, operations in paths.items()}


@contextmanager
def mcpo(lab: LabOnDisk, folder: Path, *target: str) -> Iterator[Mcpo]:
    """mcpo on loopback in front of ``target``: ``-- COMMAND...``, or a URL with what says so."""
    subprocess.run([ROOT / "script" / "openwebui", "--quiet"], check=True, timeout=900)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    argv = [str(PROGRAM), "--host", "127.0.0.1", "--port", str(port), "--api-key", KEY, *target]
    with listening(argv, f"{address}/openapi.json", folder / "mcpo.log", lab.env(), within=120):
        yield Mcpo(address)


async def read_only_tools(lab: LabOnDisk) -> set[str]:
    async with Client(StdioServerParameters(command=SERVE[0], args=SERVE[1:], env=lab.env())) as client:
        return {tool.name for tool in (await client.list_tools()).tools}


async def test_the_read_only_tools_come_through_and_no_other(lab: LabOnDisk, tmp_path: Path) -> None:
    before = lab.files()
    wanted = await read_only_tools(lab)
    with mcpo(lab, tmp_path, "--", *SERVE) as there:
        assert set(there.tools()) == wanted
        assert {"lab_status", "search_catalog", "validate_compose"} <= wanted
        for tool in ("add_service", "apply_plan", "set_env", "get_plan"):
            assert there.post(tool).status_code == 404, tool

        status = there.post("lab_status")
        assert status.status_code == 200
        assert "traefik" in status.text
        found = there.post("search_catalog", query="uptime")
        assert found.status_code == 200
        assert "uptime-kuma" in found.text
        # What mcpo makes of a tool's error: 500, and the sentence with its way out in it.
        wrong = there.post("read_logs", service="nobody")
        assert wrong.status_code == 500
        assert "[" in wrong.text
        # It asks for the key before a tool, and shows the list of tools to everybody.
        for key in ("", "wrong"):
            assert there.post("lab_status", key=key).status_code in (401, 403)
    assert lab.files() == before


def test_a_server_over_http_with_a_token_that_only_reads(lab: LabOnDisk, tmp_path: Path) -> None:
    """All of the server's tools, by a token that lets its client look alone: a plan can't even be made."""
    token = lab.json("token", "create", "mcpo", "--scope", "read")["token"]
    before = lab.files()
    with serving(lab) as served:
        header = f'{{"Authorization": "Bearer {token}"}}'
        target = ("--server-type", "streamable-http", "--header", header, "--", served.url)
        with mcpo(lab, tmp_path, *target) as there:
            tools = set(there.tools())
            assert "lab_status" in tools
            assert not tools & {"add_service", "apply_plan", "set_env"}
            assert there.post("lab_status").status_code == 200
    assert lab.files() == before


def test_nothing_can_be_approved_by_this_way_and_the_terminal_can(lab: LabOnDisk, tmp_path: Path) -> None:
    """With the tools that plan, against the documentation's advice: mcpo has no dialog, so nothing is applied by it."""
    before = lab.files()
    with mcpo(lab, tmp_path, "--", *SERVE[:-1]) as there:
        plan = there.post("add_service", service="uptime-kuma", stack="apps").json()
        assert plan["state"] == "pending"
        refused = there.post("apply_plan", plan_id=plan["plan_id"])
        assert refused.status_code == 500
        assert "plan_not_approved" in refused.text
        assert f" approve {plan['plan_id']}" in refused.text
        assert lab.files() == before
        lab.approve(plan["plan_id"])
        applied = there.post("apply_plan", plan_id=plan["plan_id"])
        assert (applied.status_code, applied.json()["state"]) == (200, "done")
    assert "uptime-kuma" in str(lab.files()["apps/compose.yaml"])


def test_it_is_started_by_the_page_s_words(lab: LabOnDisk, tmp_path: Path) -> None:
    """With uv of the index, which fetches mcpo and what goes with it."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "tools")], check=True)
    tools = tmp_path / "tools" / "bin"
    subprocess.run([str(tools / "pip"), "install", "--quiet", "uv"], check=True)
    port = str(free_port())
    path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    index = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "UV_", "SSL_"))}
    shell = Shell(tmp_path, {**lab.env(), **index, "PATH": path}, {"8000": port, "KEY": KEY})
    there = Mcpo(f"http://127.0.0.1:{port}")
    with played("docs/connecting.md", __file__) as play:
        (line,) = play.lines
        with shell.started(line):
            wait_until(lambda: answers(there), "mcpo, which is fetched first", within=600, every=1)
            assert "lab_status" in there.tools()
            assert there.post("add_service").status_code == 404
            assert there.post("lab_status").status_code == 200
        play.ran(line)


def answers(there: Mcpo) -> bool:
    try:
        return httpx.get(f"{there.address}/openapi.json", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
