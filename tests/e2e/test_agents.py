"""Scripted agents: what people ask for, served by the real server on a lab of files, to its outcome in the lab."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.cli.agent_test import play
from homelab_mcp.core.agent_script import parse_script
from tests.e2e.server import PIN, LabOnDisk

SCRIPTS = sorted((Path(__file__).parents[1] / "agents").glob("*.yaml"))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
async def test_the_agent_gets_to_the_end(lab: LabOnDisk, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The apply runs in a process of its own, which finds the lab by these.
    for name, value in lab.env().items():
        if name not in os.environ:
            monkeypatch.setenv(name, value)
    script = parse_script(path.read_text(encoding="utf-8"), path.name)
    lines = await play(open_lab(str(lab.root), files_only=True), script, PIN)
    assert [line for line in lines if not line["ok"]] == []
    assert len(lines) == len(script.steps)


def test_the_command_says_which_step_did_not_hold(lab: LabOnDisk, tmp_path: Path) -> None:
    script = tmp_path / "wrong.yaml"
    script.write_text("says: x\nsteps:\n  - tool: search_catalog\n    with: {query: plex}\n    expect: {total: -1}\n")
    answer = lab.json("agent-test", str(script), code=1)
    assert answer["ok"] is False
    assert "not -1" in answer["steps"][0]["problems"][0]
    script.write_text("says: x\nsteps:\n  - {tool: a, file: b}\n")
    assert lab.json("agent-test", str(script), code=1)["error"]["code"] == "bad_script"


def test_a_clients_file_is_written_after_a_yes_and_keeps_what_is_there(lab: LabOnDisk, tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{\n  "servers": {"mine": {"type": "stdio", "command": "x"}}\n}\n')
    options = ("connect-client", "vscode", "--http", "http://nas:8765", "--write", "--file", str(file))
    refused = lab.run(*options)
    assert refused.returncode == 1
    assert "homelab" not in file.read_text()
    answer = lab.json(*options, "--yes")
    data = json.loads(file.read_text())
    assert data["servers"]["mine"] == {"type": "stdio", "command": "x"}
    assert data["servers"]["homelab"]["headers"] == {"Authorization": "Bearer ${input:homelab-token}"}
    assert answer["written"] is True


async def test_the_printed_command_is_one_that_a_client_can_start(lab: LabOnDisk) -> None:
    config = json.loads(lab.json("connect-client", "claude", "--toolsets", "core")["config"])
    entry = config["mcpServers"]["homelab"]
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env={"PATH": os.environ["PATH"]})
    async with Client(server) as client:
        assert "add_service" in {tool.name for tool in (await client.list_tools()).tools}
