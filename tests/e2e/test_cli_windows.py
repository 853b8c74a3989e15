"""What people read at terminals of any width, and what pipes get: all of it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.e2e.server import LabOnDisk

pytestmark = pytest.mark.timeout(240)
LONG = "a reason that goes on " * 12 + "to its end."
COLOURS = re.compile(r"\x1b\[[0-9;]*[a-zA-Z]")


@pytest.fixture
def lab(tmp_path: Path) -> LabOnDisk:
    made = LabOnDisk(tmp_path / "stacks", {"HOMELAB_FILES_ONLY": "1"})
    made.root.mkdir()
    made.init()
    return made


def at_terminal(lab: LabOnDisk, columns: int, *arguments: str) -> str:
    """What a window of that width gets, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    argv = [sys.executable, "-m", "homelab_mcp", *arguments]
    process = subprocess.Popen(argv, env={**lab.env(), "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:
        pass  # how Linux says that the other end is closed
    finally:
        os.close(ours)
        process.wait(60)
    return COLOURS.sub("", said.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [0, 30, 80])
def test_a_plan_is_shown_whole_whatever_the_windows_width(lab: LabOnDisk, columns: int) -> None:
    (lab.root / "apps").mkdir()
    (lab.root / "apps" / "compose.yaml").write_text(f"services:\n  web:\n    image: web:1 # {LONG}\n")
    plan = lab.json(
        "add-custom", "wiki", "example/wiki:1.0", "--stack", "apps", "--env", f"WHY={LONG}", "--plan-only", code=3
    )
    diff = [line for line in plan["diff"].splitlines() if line.strip()]
    assert any(LONG in line for line in diff)
    shown = at_terminal(lab, columns, "plan", plan["plan_id"]) if columns else lab.run("plan", plan["plan_id"]).stdout
    assert [line for line in diff if line.rstrip() not in shown] == []


def test_addresses_stay_whole_in_narrow_windows_and_rows_stay_lines_in_pipes(lab: LabOnDisk) -> None:
    name = "a-service-with-a-rather-long-name"
    (lab.root / "apps").mkdir()
    (lab.root / "apps" / "compose.yaml").write_text(
        f"services:\n  {name}:\n    image: web:1\n    labels:\n      traefik.enable: 'true'\n"
        f"      traefik.http.routers.web.rule: Host(`{name}.lab.test`)\n"
        "      traefik.http.routers.web.entrypoints: websecure\n"
    )
    url = lab.json("status")["services"][0]["url"]
    assert name in url
    assert url in at_terminal(lab, 60, "status")
    row = next(line for line in lab.run("status").stdout.splitlines() if line.startswith("apps"))
    assert url in row
    assert name in row
