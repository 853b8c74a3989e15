"""What a script starts beside itself, and what cannot be started."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.cli.agent_test import steps_of
from homelab_mcp.core.agent_script import parse_script


@pytest.mark.parametrize("command", [" ", "{nothing}", "# all of it", "'open", "/nonexistent/program"])
async def test_what_cannot_be_started_is_told(tmp_path: Path, command: str) -> None:
    script = parse_script(f'says: it starts\nsteps: [{{start: "{command}"}}]', "a.yaml")
    lab = open_lab(str(tmp_path), files_only=True)
    lines = await steps_of(cast("Any", None), lab, script, "", {"nothing": "  "})
    assert [line["ok"] for line in lines] == [False]
    assert lines[0]["problems"][0].startswith("it does not start: ")
