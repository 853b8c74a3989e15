"""Telling somebody through the real Apprise, to a real address on this machine."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from homelab_mcp.adapters.notify_apprise import addresses_in, send
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.cli.app import app
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.workflow.init_lab import init_lab

TOKEN = "tk_canary7f3a9b2c"


class Heard(ThreadingHTTPServer):
    """What was sent here; ``code`` is what it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.code = 200
        self.bodies: list[dict[str, str]] = []
        self.keys: list[str] = []

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/lab/?+X-Token={TOKEN}"


class _Handler(BaseHTTPRequestHandler):
    server: Heard

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.keys.append(str(self.headers["X-Token"]))
        self.send_response(self.server.code)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test looks at what is printed."""


@pytest.fixture
def heard() -> Iterator[Heard]:
    with Heard() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def troubled(tmp_path: Path) -> list[str]:
    """``check`` of a lab with something wrong: a stack that nobody committed."""
    root = tmp_path / "stacks"
    (root / "media").mkdir(parents=True)
    (root / "media" / "compose.yaml").write_text("services:\n  web: {image: 'nginx:1.27'}\n")
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, "correct-horse")
    (root / "media" / "compose.yaml").write_text("services:\n  web: {image: 'nginx:1.28'}\n")
    return ["--root", str(root), "--files-only", "check", "--skip", "host"]


def test_the_address_gets_title_and_lines(heard: Heard) -> None:
    send((heard.address,), "Homelab: 1 trouble", "services media/web: it is paused.")
    assert heard.bodies[0]["title"] == "Homelab: 1 trouble"
    assert heard.bodies[0]["message"] == "services media/web: it is paused."
    assert heard.keys == [TOKEN]


def test_one_that_fails_keeps_no_other_from_being_told_and_no_address_is_said(
    heard: Heard, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = f"json://127.0.0.1:1/{TOKEN}"
    with pytest.raises(HomelabError, match=r"address 1 \(json://\.\.\.\) of 2") as error:
        send((gone, heard.address), "t", "x")
    assert len(heard.bodies) == 1
    heard.code = 403
    with pytest.raises(HomelabError, match="did not take it"):
        send((heard.address,), "t", "x")
    said = "".join(capfd.readouterr()) + str(error.value) + str(error.value.hint)
    assert TOKEN not in said
    assert "127.0.0.1" not in said


@pytest.mark.parametrize("address", ["nosuch://host/x", "json://", f"{TOKEN}"])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(heard: Heard, address: str) -> None:
    with pytest.raises(InvalidInput, match="Address 2 of 2") as error:
        send((heard.address, address), "t", "x")
    assert heard.bodies == []
    assert TOKEN not in str(error.value)


def test_a_file_has_one_a_line_and_comments() -> None:
    assert addresses_in("# mine\nntfys://h/t\n\n  mailto://a:b@c.d \n") == ("ntfys://h/t", "mailto://a:b@c.d")
    with pytest.raises(InvalidInput, match="Nobody is named"):
        send((), "t", "x")


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(InvalidInput, match="not installed") as error:
        send(("json://h",), "t", "x")
    assert "[notify]" in error.value.hint


def test_check_tells_who_is_named_in_the_environment_or_a_file(
    heard: Heard, troubled: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOMELAB_NOTIFY_URLS", raising=False)
    assert CliRunner().invoke(app, troubled).exit_code == 1
    nobody = CliRunner().invoke(app, [*troubled, "--notify"])
    assert isinstance(nobody.exception, InvalidInput)
    assert heard.bodies == []

    monkeypatch.setenv("HOMELAB_NOTIFY_URLS", heard.address)
    told = CliRunner().invoke(app, [*troubled, "--notify"])
    assert told.exit_code == 1
    assert heard.bodies[0]["message"].splitlines() == told.stdout.splitlines()
    assert heard.bodies[0]["title"] == "Homelab: 1 trouble"

    monkeypatch.delenv("HOMELAB_NOTIFY_URLS")
    (tmp_path / "told").write_text(f"# phone\n{heard.address}\n")
    by_file = [*troubled, "--notify-file", str(tmp_path / "told")]
    assert CliRunner().invoke(app, by_file).exit_code == 1
    assert len(heard.bodies) == 2
    assert CliRunner().invoke(app, [*by_file, "--skip", "drift"]).exit_code == 0
    assert len(heard.bodies) == 2, "silent when all is well"
    missing = CliRunner().invoke(app, [*troubled, "--notify-file", str(tmp_path / "none")])
    assert isinstance(missing.exception, InvalidInput)
