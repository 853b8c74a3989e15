"""The first steps of somebody without a domain: no question that has no answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from homelab_mcp.cli.app import app
from homelab_mcp.model.errors import InvalidInput


@pytest.fixture
def start(tmp_path: Path) -> list[str]:
    (tmp_path / "pin").write_text("correct-horse\n")
    return ["--root", str(tmp_path / "stacks"), "--files-only", "init"]


def test_without_a_domain_no_authority_is_asked_and_no_token_wanted(start: list[str], tmp_path: Path) -> None:
    made = CliRunner().invoke(app, [*start, "--pin-file", str(tmp_path / "pin")])
    assert made.exit_code == 0, made.output
    assert "certificates: none" in made.output
    planned = CliRunner().invoke(app, [*start, "--core", "--plan-only", "--json"])
    assert planned.exit_code == 3, planned.output
    assert json.loads(planned.stdout)["state"] == "pending"


def test_with_a_domain_the_providers_token_is_asked_for(start: list[str], tmp_path: Path) -> None:
    CliRunner().invoke(app, [*start, "--domain", "me.duckdns.org", "--pin-file", str(tmp_path / "pin")])
    refused = CliRunner().invoke(app, [*start, "--core", "--plan-only", "--json"])
    assert isinstance(refused.exception, InvalidInput)
    assert "DUCKDNS_TOKEN" in refused.exception.message
