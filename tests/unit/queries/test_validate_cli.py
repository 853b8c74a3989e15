"""The commands ``validate`` and ``rules`` as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from homelab_mcp.cli.app import app

TEXT = "services:\n  web:\n    image: nginx:1.29\n    restart: allways\n"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "compose.yaml"
    path.write_text(TEXT)
    return str(path)


def test_json_in_both_ways_of_asking_is_the_same(file: str) -> None:
    one = CliRunner().invoke(app, ["validate", "--json", file])
    other = CliRunner().invoke(app, ["validate", "--format", "json", file])
    assert one.exit_code == other.exit_code == 1
    assert json.loads(one.stdout) == json.loads(other.stdout)
    assert "HL014" in {f["rule"] for f in json.loads(one.stdout)["findings"]}


def test_sarif_and_github(file: str) -> None:
    done = CliRunner().invoke(app, ["validate", "--format", "sarif", file])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["version"] == "2.1.0"
    lines = CliRunner().invoke(app, ["validate", "--format", "github", file]).stdout.splitlines()
    assert [line for line in lines if line.startswith("::error ") and "title=HL014" in line and "line=4" in line]


def test_rules_lists_all_and_shows_one() -> None:
    listed = json.loads(CliRunner().invoke(app, ["rules", "--json"]).stdout)["rules"]
    assert len(listed) >= 100
    one = json.loads(CliRunner().invoke(app, ["rules", "hl041", "--json"]).stdout)
    assert one == next(r for r in listed if r["id"] == "HL041")
    page = CliRunner().invoke(app, ["rules", "HL041"]).stdout
    assert one["why"] in page
    assert "ignore=HL041" in page
