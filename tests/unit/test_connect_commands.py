"""``connect`` connects clients, ``connect-services`` services; each name somebody may try leads to the right one."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from homelab_mcp.cli.app import app
from homelab_mcp.core.client_config import CLIENTS, Way, entry, joined
from homelab_mcp.model.errors import InvalidInput, NotFound
from tests.doc_cli import TREE, parse
from tests.doc_pages import ROOT


def shown(folder: Path, *words: str) -> dict[str, Any]:
    """What a command answers as JSON."""
    done = CliRunner().invoke(app, ["--root", str(folder), *words, "--json"])
    assert done.exit_code == 0, (words, done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_is_connected_by_its_name_alone(client: str, tmp_path: Path) -> None:
    answer = shown(tmp_path, "connect", client)
    assert "homelab" in answer["config"]
    assert answer["next"]
    assert answer == shown(tmp_path, "connect-client", client)


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "openwebui"])
def test_the_page_shows_what_is_written_for_each_client(client: str) -> None:
    page = (ROOT / "docs" / "connecting.md").read_text("utf-8")
    listings = re.findall(r"^```(?:json|toml)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    way = Way(("/home/you/homelab-mcp/.venv/bin/homelab-mcp", "--root", "/opt/stacks", "serve"))
    written = joined(CLIENTS[client], "", entry(CLIENTS[client], way, token=False))
    assert "".join(written.split()) in ["".join(one.split()) for one in listings]


def test_openwebui_is_shown_where_the_server_answers_unless_told(tmp_path: Path) -> None:
    answer = shown(tmp_path, "connect", "openwebui")
    assert '"http://127.0.0.1:8765/mcp"' in answer["config"]
    assert "homelab-mcp serve --http 127.0.0.1:8765" in answer["next"]
    assert '"http://nas:8765/mcp"' in shown(tmp_path, "connect", "openwebui", "--http", "http://nas:8765")["config"]


@pytest.mark.parametrize(
    "words",
    [
        ("jellyfin", "apps/sonarr"),
        ("openwebui", "ollama"),
        ("sonarr", "openwebui"),
        ("jellyfin", "sonarr", "--var", "SONARR_URL={url}", "--plan-only"),
        ("--network", "media net", "jellyfin", "sonarr", "--json"),
    ],
)
def test_names_of_two_services_are_told_the_command_that_joins_them(words: Sequence[str]) -> None:
    for command in ("connect", "connect-client"):
        done = CliRunner().invoke(app, [command, *words])
        assert isinstance(done.exception, InvalidInput)
        assert done.exception.code == "two_services"
        told = shlex.split(done.exception.hint.partition("`")[2].rpartition("`")[0])
        assert told == ["homelab-mcp", "connect-services", *words]
        assert parse(tuple(told[1:])) == ""


def test_one_name_that_is_no_client_is_told_the_clients_and_the_other_command() -> None:
    found = CliRunner().invoke(app, ["connect", "jellyfin"]).exception
    assert isinstance(found, NotFound)
    assert "vscode, claude, cursor, codex, openwebui, generic" in found.hint
    assert "homelab-mcp connect-services" in found.hint


@pytest.mark.parametrize("words", [("vscode", "--htpp", "x"), ("--var", "A=b"), ()])
def test_other_slips_are_told_as_what_they_are(words: Sequence[str]) -> None:
    done = CliRunner().invoke(app, ["connect", *words])
    assert done.exit_code == 2
    assert "connect-services" not in done.output


def test_help_and_the_manual_page_name_both_and_not_the_old_name() -> None:
    for words in (["--help"], ["man-page"]):
        text = CliRunner().invoke(app, words).output.replace("\\-", "-")
        assert "connect-services" in text
        assert "connect-client" not in text
    assert TREE.commands["connect-client"].hidden


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("connect ", [*CLIENTS]), ("connect v", ["vscode"]), ("connec", ["connect", "connect-services"])],
)
def test_a_shell_offers_the_clients(typed: str, offered: list[str]) -> None:
    """As bash asks for completions, the real program in a process of its own."""
    words = f"homelab-mcp {typed}"
    count = len(words.split()) - (not words.endswith(" "))
    done = subprocess.run(
        [Path(sys.executable).with_name("homelab-mcp")],
        env={"_HOMELAB_MCP_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert sorted(done.stdout.split()) == sorted(offered), done.stderr


def test_a_file_that_is_written_keeps_its_link_and_its_mode_all_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "dotfiles/mcp.json"
    kept.parent.mkdir()
    kept.write_text('{"mcpServers": {"other": {"env": {"TOKEN": "canary"}}}}\n')
    kept.chmod(0o600)
    (tmp_path / "mcp.json").symlink_to(kept)
    modes: list[int] = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        modes.append(self.stat().st_mode & 0o777)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    # A file that anybody may read from the moment it is opened.
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: pytest.fail("made with the umask's mode"))
    words = ["--root", str(tmp_path), "connect", "generic", "--write", "--yes", "--file", str(tmp_path / "mcp.json")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "mcp.json").is_symlink()
    assert set(json.loads(kept.read_text())["mcpServers"]) == {"other", "homelab"}
    assert modes == [0o600]
    assert kept.stat().st_mode & 0o777 == 0o600
