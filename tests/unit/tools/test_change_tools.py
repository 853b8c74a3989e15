"""The tools that change what is there, called as a client calls them, on a lab of files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.server import build

COMPOSE = """services:
  blog:   # mine
    image: ghost:5.1
    user: "4000:4000"
    volumes: [./blog/data:/data]
  wiki:
    image: wiki:1
    ports: ["127.0.0.1:8080:80"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lab"
    (root / "apps/blog/data").mkdir(parents=True)
    (root / "homelab.yaml").write_text("domain: lab.test\n")
    (root / "apps/compose.yaml").write_text(COMPOSE)
    return root


async def call(root: Path, tool: str, **arguments: Any) -> dict[str, Any]:
    async with Client(build(open_lab(str(root), files_only=True))) as client:
        found = await client.call_tool(tool, arguments)
    text = found.content[0].text  # type: ignore[union-attr]
    return {"error": text} if found.is_error else dict(found.structured_content or {})


async def test_an_update_is_a_plan_of_the_lines_that_change(root: Path) -> None:
    plan = await call(root, "update_service", service="blog", tag="5.2", limits={"memory": "1G"})

    assert plan["state"] == "pending"
    assert "-    image: ghost:5.1\n+    image: ghost:5.2\n" in plan["diff"]
    assert "5.1" in plan["undo"]
    assert (root / "apps/compose.yaml").read_text() == COMPOSE


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("update_service", {"service": "blog"}, "nothing_to_do"),
        ("update_service", {"service": "blog", "env_set": {"API_KEY": "x"}}, "secret_in_argument"),
        ("update_service", {"service": "blog", "limits": {"memory": "much"}}, "invalid_input"),
        ("update_service", {"service": "blog", "limits": {"swap": "1"}}, "invalid_input"),
        ("update_service", {"service": "nobody", "tag": "1"}, "not_found"),
        ("update_service", {"service": "blog", "gpu": "on"}, "gpu_not_possible"),
        ("move_service", {"service": "blog", "to": "docs"}, "plan_needs_docker"),
        ("move_service", {"service": "blog", "to": "Not A Name"}, "invalid_input"),
        ("remove_service", {"service": "blog", "data": "delete"}, "plan_needs_docker"),
        ("connect_services", {"a": "blog", "b": "wiki"}, "nothing_to_do"),
        ("fix_permissions", {"service": "wiki"}, "owner_unknown"),
        ("fix_permissions", {"service": "blog", "owner": "root"}, "bad_value"),
    ],
)
async def test_what_cannot_be_is_told_with_its_code(
    root: Path, tool: str, arguments: dict[str, Any], code: str
) -> None:
    told = (await call(root, tool, **arguments))["error"]

    assert told.endswith(f"[{code}]"), told
    assert "Traceback" not in told


async def test_owners_and_storage(root: Path) -> None:
    plan = await call(root, "fix_permissions", service="blog")
    assert plan["actions"][0].startswith("give apps/blog, apps/blog/data to 4000:4000")

    found = await call(root, "check_storage", service="wiki")
    assert (found["mounts"], found["total"]) == ([], 0)
    assert any("media_dir" in problem for problem in found["problems"])
