"""MCP Inspector's command line against the shipping server: both transports, both protocol eras, strict schemas."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.http_server import serving
from tests.e2e.protocol import inspector
from tests.e2e.server import LabOnDisk

pytestmark = pytest.mark.timeout(180)


def stdio(lab: LabOnDisk) -> list[str]:
    return [sys.executable, "-m", "homelab_mcp", "--root", str(lab.root), "--files-only", "serve"]


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("sets", ["default", "all"])
def test_strict_finds_nothing_in_the_tools_over_stdio(lab: LabOnDisk, tmp_path: Path, era: str, sets: str) -> None:
    options = ("--method", "tools/list", "--strict", "--protocol-era", era)
    code, listed = inspector(tmp_path, stdio(lab), *options, env={"HOMELAB_TOOLSETS": sets})
    assert code == 0, listed
    names = [tool["name"] for tool in listed["tools"]]
    assert "apply_plan" in names
    print(f"Inspector --strict, {era}, {sets}: {len(names)} tools, clean")


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_lists_reads_and_calls_over_http(lab: LabOnDisk, tmp_path: Path, era: str) -> None:
    with serving(lab) as served:
        target = [served.url, "--transport", "http", "--protocol-era", era]
        code, listed = inspector(tmp_path, target, "--method", "tools/list", "--strict")
        assert code == 0, listed
        code, page = inspector(tmp_path, target, "--method", "resources/read", "--uri", "homelab://stacks/core/env")
        assert code == 0, page
        assert "DOMAIN: set" in page["contents"][0]["text"]
        code, prompt = inspector(
            tmp_path,
            target,
            "--method",
            "prompts/get",
            "--prompt-name",
            "lazy-loading",
            "--prompt-args",
            "service=plex",
        )
        assert code == 0, prompt
        assert "Let plex sleep" in prompt["messages"][0]["content"]["text"]
        call = ("--method", "tools/call", "--tool-name", "search_catalog", "--tool-args-json", '{"query": "plex"}')
        code, found = inspector(tmp_path, target, *call)
        assert code == 0, found
        assert found["structuredContent"]["matches"][0]["id"] == "plex"


def test_an_error_of_a_tool_is_the_inspectors_error(lab: LabOnDisk, tmp_path: Path) -> None:
    call = ("--method", "tools/call", "--tool-name", "add_service", "--tool-args-json", '{"service": "no-such-thing"}')
    code, said = inspector(tmp_path, stdio(lab), *call)
    assert code == 5, said
