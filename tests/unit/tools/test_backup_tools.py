"""The tools of backups and updates as a client calls them, in a lab without Docker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.server import build
from homelab_mcp.workflow.init_lab import init_lab

pytestmark = pytest.mark.unit


async def call(root: Path, tool: str, **arguments: Any) -> tuple[bool, str]:
    async with Client(build(open_lab(str(root), files_only=True))) as client:
        answer = await client.call_tool(tool, arguments)
    return bool(answer.is_error), str(getattr(answer.content[0], "text", ""))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "lab"
    init_lab(open_lab(str(made), files_only=True), {"domain": "example.org", "email": "p@example.org"}, "27182818")
    (made / "apps").mkdir()
    (made / "apps/compose.yaml").write_text("services:\n  wiki:\n    image: 127.0.0.1:9/wiki:1.0\n")
    return made


async def test_a_backup_that_is_not_there_is_told_with_the_way_to_one(root: Path) -> None:
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        ("backups", {}),
        ("backups", {"verify": 3}),
        ("run_backup", {}),
        ("restore_backup", {"target": "wiki"}),
    )
    for tool, arguments in asked:
        failed, text = await call(root, tool, **arguments)
        assert failed, tool
        assert "configure_backup" in text and "[no_backup]" in text


async def test_a_backup_is_planned_and_then_told(root: Path) -> None:
    failed, text = await call(root, "configure_backup", repository="/mnt/backup", keep={"daily": 14})
    assert not failed, text
    plan = json.loads(text)
    assert (plan["risk"], plan["state"]) == ("high", "pending")
    assert "RESTIC_PASSWORD" in text
    failed, text = await call(root, "configure_backup", repository="rest:https://a:secret@b/")
    assert failed and "[bad_backup_config]" in text and "secret" not in text


async def test_updates_are_told_by_state_and_planned_by_name(root: Path) -> None:
    failed, text = await call(root, "check_updates")
    assert not failed, text
    told = json.loads(text)
    assert (told["total"], told["current"], told["images"][0]["state"]) == (1, 0, "unknown")
    failed, text = await call(root, "update_images", services=["wiki=1.1"])
    assert not failed, text
    assert "wiki:1.1" in json.loads(text)["diff"]
    failed, text = await call(root, "check_updates", services=["nobody"])
    assert failed and "[not_found]" in text
