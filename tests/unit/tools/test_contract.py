"""The tools as clients see them: a reviewed contract, held by snapshots and by rules over all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.server import build

READ_ONLY_OR_PLAN = {
    "call_service_api",
    "fix_compose",
    "history",
    "rollback",
    "review_changes",
    "resolve_drift",
    "search_catalog",
    "lab_status",
    "read_logs",
    "service_details",
    "resource_usage",
    "host_health",
    "validate_compose",
    "add_service",
    "remove_service",
    "set_env",
    "set_lazy_loading",
    "change_swarm",
    "set_vpn",
    "check_vpn",
    "check_certs",
    "renew_certs",
    "pull_lab",
    "get_env",
    "get_plan",
    "add_custom_service",
    "import_service",
    "external_route",
    "setup_lab",
    "update_service",
    "move_service",
    "connect_services",
    "fix_permissions",
    "check_storage",
    "show_platform",
    "audit",
    "set_access_policy",
    "manage_user",
    "set_sign_on",
    "set_homepage",
    "diagnose",
    "control_service",
    "backups",
    "configure_backup",
    "run_backup",
    "restore_backup",
    "check_updates",
    "update_images",
    "trial_service",
    "setup_monitoring",
}


@pytest.fixture
async def tools(tmp_path: Path) -> list[dict[str, Any]]:
    async with Client(build(open_lab(str(tmp_path)))) as client:
        listed = await client.list_tools()
    return [t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in listed.tools]


async def test_each_tool_is_as_reviewed(tools: list[dict[str, Any]], snapshot: SnapshotAssertion) -> None:
    for tool in tools:
        assert tool == snapshot(name=tool["name"], extension_class=JSONSnapshotExtension)


async def test_only_apply_plan_says_that_it_changes_anything(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        hints = tool["annotations"]
        assert hints["readOnlyHint"] is (tool["name"] in READ_ONLY_OR_PLAN), tool["name"]
        assert hints["destructiveHint"] is (tool["name"] == "apply_plan")
    assert {t["name"] for t in tools} == READ_ONLY_OR_PLAN | {"apply_plan"}


async def test_apply_plan_takes_nothing_that_could_stand_for_a_yes(tools: list[dict[str, Any]]) -> None:
    apply = next(t for t in tools if t["name"] == "apply_plan")
    assert set(apply["inputSchema"]["properties"]) == {"plan_id"}


async def test_schemas_stay_in_what_every_model_accepts(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        schema = tool["inputSchema"]
        assert schema["type"] == "object"
        text = json.dumps(schema)
        for word in ("$ref", "anyOf", "oneOf", "allOf", '"null"', '"format"'):
            assert word not in text, (tool["name"], word)
        assert tool["title"]
        assert 20 < len(tool["description"]) < 500


async def test_prompts_are_listed_and_filled_in_as_plain_text(tmp_path: Path) -> None:
    async with Client(build(open_lab(str(tmp_path)))) as client:
        listed = await client.list_prompts()
        assert {"add-service", "review-lab", "whats-wrong"} <= {p.name for p in listed.prompts}
        got = await client.get_prompt("add-service", {"service": "{service} {0}"})
    text = getattr(got.messages[0].content, "text", "")
    assert text.startswith("Add {service} {0} to my lab, in the stack the catalog proposes.")


def test_the_page_about_the_tools_is_current() -> None:
    script = Path(__file__).parents[3] / "script" / "tools-doc"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


async def test_arguments_that_do_not_fit_are_told_without_repeating_them(tmp_path: Path) -> None:
    async with Client(build(open_lab(str(tmp_path)))) as client:
        result = await client.call_tool("set_env", {"stack": "media", "values": {"TOKEN": ["canary-1234"]}})
        text = getattr(result.content[0], "text", "")
        assert result.is_error
        assert "values.TOKEN: Input should be a valid string" in text
        assert "[invalid_arguments]" in text
        assert "canary" not in text
        assert "pydantic" not in text
        missing = await client.call_tool("add_service", {"vpn": "maybe"})
        assert "service: Field required; vpn: Input should be 'default', 'on' or 'off'" in missing.content[0].text  # type: ignore[union-attr]
