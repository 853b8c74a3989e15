"""Scripted agents: what people ask for, served by the real server on a lab of files, to its outcome in the lab."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
