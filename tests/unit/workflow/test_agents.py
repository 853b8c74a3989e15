"""AGENTS.md and Copilot's file: written once, committed, true to the lab, and never over a person's own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.agents_page import AGENTS, COPILOT
from homelab_mcp.server import build
from homelab_mcp.workflow.agents import write_agents
from homelab_mcp.workflow.init_lab import init_lab


def test_what_is_not_there_is_written_and_committed_and_what_is_there_stays(tmp_path: Path) -> None:
    root = tmp_path / "stacks"
    lab = open_lab(str(root), files_only=True)
    init_lab(lab, {"domain": "lab.test", "acme.challenge": "tls", "media_dir": "/srv/films"}, "")
    assert write_agents(lab) == (AGENTS, COPILOT)
    text = (root / AGENTS).read_text("utf-8")
    assert "`*.lab.test`" in text
    assert "`/srv/films`" in text
    assert "{" not in text
    assert write_agents(lab) == ()
    said = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    assert {AGENTS, COPILOT} <= set(said)
    (root / AGENTS).write_text("mine\n", "utf-8")
    (root / COPILOT).unlink()
    assert write_agents(lab) == (COPILOT,)
    assert (root / AGENTS).read_text("utf-8") == "mine\n"


async def test_the_tools_it_names_are_there(tmp_path: Path) -> None:
    lab = open_lab(str(tmp_path / "stacks"), files_only=True)
    init_lab(lab, {"domain": "lab.test", "acme.challenge": "tls"}, "")
    write_agents(lab)
    text = (tmp_path / "stacks" / AGENTS).read_text("utf-8")
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text))
    assert len(named) > 8
    assert named <= {tool.name for tool in await build(lab).list_tools()}
