"""The official conformance suite and the MCP Inspector's command line, as ``script/setup --protocol`` installs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PLACE = Path(__file__).parents[1] / "protocol"
MODULES = PLACE / "node_modules"
NODE = MODULES / ".bin" / "node"
CONFORMANCE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
INSPECTOR = MODULES / ".bin" / "mcp-inspector"
PACKER = MODULES / ".bin" / "mcpb"

REVISIONS = ("2025-11-25", "2026-07-28")


class Outcome(NamedTuple):
    """A run of the suite: its exit code, what it said, and the required scenarios by whether they held."""

    code: int
    said: str
    passed: frozenset[str]
    failed: frozenset[str]


def require(program: Path) -> None:
    """Fail, with how to get it, where the program is not installed."""
    if not program.exists() or not NODE.exists():
        pytest.fail(f"{program.name} is not installed: script/setup --protocol (needs npm: apt-get install npm)", False)


def run(*argv: str | Path, timeout: float = 60, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A Node.js program on the pinned Node.js."""
    return subprocess.run(
        [str(NODE), *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{NODE.parent}:{os.environ['PATH']}", "NO_COLOR": "1", **(env or {})},
    )


def conformance(url: str, revision: str, results: Path, *options: str | Path) -> Outcome:
    """Run every server scenario of the revision's requirements."""
    require(CONFORMANCE)
    done = run(CONFORMANCE, "server", "--url", url, "--requirements", revision, "-o", results, *options, timeout=110)
    said = done.stdout + done.stderr
    required, _, unscored = said.partition("Not scored for")
    free = set(re.findall(r"[✓✗] ([\w-]+)", unscored))
    marks = {name: mark for mark, name in re.findall(r"^([✓✗]) ([\w-]+):", required, re.MULTILINE) if name not in free}
    return Outcome(
        done.returncode,
        said,
        frozenset(name for name, mark in marks.items() if mark == "✓"),
        frozenset(name for name, mark in marks.items() if mark == "✗"),
    )


def inspector(folder: Path, target: list[str], *options: str, env: dict[str, str] | None = None) -> tuple[int, Any]:
    """One request of the Inspector's command line: its exit code and the result (or the text) it printed."""
    require(INSPECTOR)
    own = {"MCP_STORAGE_DIR": str(folder), "MCP_CATALOG_PATH": str(folder / "mcp.json"), **(env or {})}
    # Its own 15 s to connect are too few where a server starts on a busy machine.
    more = ("--connect-timeout", "60000", "--format", "json")
    done = run(INSPECTOR, "--cli", *target, *options, *more, env=own, timeout=120)
    try:
        return done.returncode, json.loads(done.stdout)["result"]
    except (ValueError, KeyError):
        return done.returncode, done.stdout + done.stderr
