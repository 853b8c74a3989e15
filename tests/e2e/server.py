"""A real server process, real clients of both protocol eras, and a lab on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult

PIN = "correct-horse"
Era = Literal["legacy", "auto"]
ERAS: tuple[Era, ...] = ("legacy", "auto")
"""2025-11-25 and 2026-07-28 clients."""


@dataclass
class LabOnDisk:
    """A lab in a test's folder, driven through the command line and the server as users drive it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def env(self) -> dict[str, str]:
        kept = {
            k: os.environ[k]
            for k in ("PATH", "HOME", "LANG", "DOCKER_HOST", "XDG_CONFIG_HOME", "PYTHONPATH")
            if k in os.environ
        }
        return {**kept, "HOMELAB_ROOT": str(self.root), "HOMELAB_TOOLSETS": "all", **self.environment}

    def run(self, *arguments: str, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "homelab_mcp", *arguments],
            env=self.env(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *arguments: str, code: int = 0, stdin: str = "", timeout: float = 120) -> dict[str, Any]:
        done = self.run(*arguments, "--json", stdin=stdin, timeout=timeout)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def init(self, *options: str) -> None:
        self.json("init", "--domain", "lab.test", "--pin-file", "-", *options, stdin=f"{PIN}\n")

    def approve(self, plan_id: str, *options: str, code: int = 0) -> dict[str, Any]:
        return self.json("approve", plan_id, "--pin-file", "-", *options, stdin=f"{PIN}\n", code=code, timeout=280)

    def files(self) -> dict[str, bytes]:
        """Every file of the lab but git's and our own."""
        return {
            str(p.relative_to(self.root)): p.read_bytes()
            for p in sorted(self.root.rglob("*"))
            if p.is_file() and not {".git", ".homelab"} & set(p.relative_to(self.root).parts)
        }


@asynccontextmanager
async def connected(lab: LabOnDisk, era: Era = "auto", answer: Any = None) -> AsyncIterator[Client]:
    """A client over stdio. ``answer``: None for a client that cannot ask, else message -> ElicitResult."""

    async def person(context: Any, params: ElicitRequestParams) -> ElicitResult:
        result: ElicitResult = answer(params.message)
        return result

    server = StdioServerParameters(command=sys.executable, args=["-m", "homelab_mcp", "serve"], env=lab.env())
    async with Client(server, mode=era, elicitation_callback=person if answer else None) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    """One call; a traceback or an unexplained error never comes back."""
    result = await client.call_tool(tool, arguments)
    text = words(result)
    assert "Traceback" not in text
    assert "internal_error" not in text, text
    return result


def data(result: CallToolResult) -> dict[str, Any]:
    """The structured answer, which must equal the text."""
    assert not result.is_error, words(result)
    assert result.structured_content is not None
    assert json.loads(words(result)) == result.structured_content
    return dict(result.structured_content)


def words(result: CallToolResult) -> str:
    """The text of a result."""
    return "".join(getattr(block, "text", "") for block in result.content)


def types_the_name(message: str) -> ElicitResult:
    """A person who approves: types the name that the dialog asks for."""
    return ElicitResult(action="accept", content={"name": message.rsplit("type: ", 1)[-1].strip()})
