"""``connect openwebui --admin``: against a small stand-in of OpenWebUI's admin API.

The stand-in has the three calls of open-webui 0.12.4's routers/configs.py with their shapes and refusals, and connects
to the server it is given as OpenWebUI does: by the SDK's client, with the key as bearer token.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from testbed import free_port
from testbed.docker_engine import wait_until
from tests.doc_play import Shell, played
from tests.e2e.http_server import client_of, serving
from tests.e2e.server import LabOnDisk

ADMIN = "sk-the-admins-own-key"
OTHER = {
    "url": "http://weather:8000", "path": "openapi.json", "type": "openapi", "auth_type": "bearer", "headers": None,
    "key": "sk-of-the-weather", "config": {"enable": True}, "info": {"id": "weather", "name": "Weather"},
}  # fmt: skip


class OpenWebuiStandIn:
    """What its database holds, and a server for the three calls."""

    def __init__(self) -> None:
        self.servers: list[dict[str, Any]] = [OTHER]
        self.posts = 0
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status: int, body: Any) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Authorization") != f"Bearer {ADMIN}":
                    self.answer(401, {"detail": "401 Unauthorized"})
                elif self.path == "/api/v1/configs/tool_servers/verify":
                    self.answer(*stand_in.verified(json.loads(sent)))
                elif self.path != "/api/v1/configs/tool_servers":
                    self.answer(404, {"detail": "Not Found"})
                else:
                    if self.command == "POST":
                        stand_in.posts += 1
                        stand_in.servers = json.loads(sent)["TOOL_SERVER_CONNECTIONS"]
                    self.answer(200, {"TOOL_SERVER_CONNECTIONS": stand_in.servers})

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def verified(self, one: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        async def tools() -> list[str]:
            async with client_of(one["url"], one["key"]) as client:
                return [tool.name for tool in (await client.list_tools()).tools]

        try:
            return 200, {"status": True, "specs": [{"name": name} for name in anyio.run(tools)]}
        except Exception:  # noqa: BLE001 - as OpenWebUI does
            return 400, {"detail": "Failed to create MCP client"}


@contextmanager
def openwebui() -> Iterator[OpenWebuiStandIn]:
    made = OpenWebuiStandIn()
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def connect(lab: LabOnDisk, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "homelab_mcp", "connect", "openwebui", *options]
    env = {**os.environ, **lab.env(), **more}
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.mark.timeout(120)
def test_it_is_entered_beside_the_others_and_openwebui_connects(lab: LabOnDisk, tmp_path: Path) -> None:
    token = lab.json("token", "create", "openwebui", "--scope", "read,plan,apply")["token"]
    key = tmp_path / "key"
    key.write_text(f"{ADMIN}\n")
    with openwebui() as there, serving(lab) as served:
        options = ("--http", served.url, "--write", "--admin", there.address, "--key-file", str(key))
        alone = connect(lab, *options, HOMELAB_MCP_TOKEN=token)
        assert (alone.returncode, there.posts) == (1, 0), alone.stderr
        assert '+  "key": "(set, not shown)"' in alone.stderr

        done = connect(lab, *options, "--yes", "--json", HOMELAB_MCP_TOKEN=token)
        assert done.returncode == 0, done.stderr
        assert {"add_service", "apply_plan"} <= set(json.loads(done.stdout)["tools"])
        assert there.servers[0] == OTHER
        (mine,) = there.servers[1:]
        assert (mine["url"], mine["type"], mine["auth_type"], mine["key"]) == (served.url, "mcp", "bearer", token)
        for secret in (token, ADMIN, OTHER["key"]):
            assert str(secret) not in done.stdout + done.stderr + alone.stdout + alone.stderr

        # Again, and without the token: nothing changes, and the key that is there is kept.
        again = connect(lab, *options, "--yes", "--json")
        assert (again.returncode, there.posts) == (0, 1), again.stderr
        assert json.loads(again.stdout)["tools"]

        # A server that it does not reach is entered, and said so.
        elsewhere = connect(lab, "--http", "http://127.0.0.1:9/mcp", *options[2:], "--yes", "--json")
        assert elsewhere.returncode == 0, elsewhere.stderr
        answer = json.loads(elsewhere.stdout)
        assert (answer["tools"], len(there.servers)) == ([], 2)
        assert "Failed to create MCP client" in answer["next"]


@pytest.mark.timeout(120)
def test_what_is_missing_is_said_before_anything_is_changed(lab: LabOnDisk, tmp_path: Path) -> None:
    with openwebui() as there:
        options = ("--http", "http://127.0.0.1:9/mcp", "--write", "--yes", "--json", "--admin", there.address)
        cases: tuple[tuple[dict[str, str], str], ...] = (
            ({}, "openwebui_key_needed"),
            ({"OPENWEBUI_API_KEY": "wrong"}, "openwebui_failed"),
            ({"OPENWEBUI_API_KEY": ADMIN}, "token_required"),
        )
        for more, code in cases:
            refused = connect(lab, *options, **more)
            assert refused.returncode == 1
            assert json.loads(refused.stdout)["error"]["code"] == code, refused.stdout
        assert (there.posts, there.servers) == (0, [OTHER])
    gone = connect(lab, *options, OPENWEBUI_API_KEY=ADMIN, HOMELAB_MCP_TOKEN="x")
    assert json.loads(gone.stdout)["error"]["code"] == "openwebui_failed"


@pytest.mark.timeout(120)
def test_by_the_page_s_words_it_is_entered_and_openwebui_connects(lab: LabOnDisk, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    env = {**lab.env(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with openwebui() as there, played("docs/connecting.md", __file__) as play:
        create, serve, token, key, connect = play.lines
        (made,) = play.type(Shell(tmp_path, env), create)
        (value,) = (word for word in made.said.split() if len(word) > 40)
        here = {
            "HOMELAB_MCP_TOKEN=...": f"HOMELAB_MCP_TOKEN={value}",
            "OPENWEBUI_API_KEY=...": f"OPENWEBUI_API_KEY={ADMIN}",
            "127.0.0.1:8765": address,
            "https://chat.example.org": there.address,
        }
        shell = Shell(tmp_path, env, here)
        with shell.started(serve):
            wait_until(lambda: healthy(f"http://{address}/healthz"), "the server", within=60)
            play.type(shell, token, key)
            (told,) = play.type(shell, connect, replies=[("Enter it in", "y")])
        play.ran(serve)
        assert "OpenWebUI connected and found" in told.said, told
        assert value not in told.said
        assert ADMIN not in told.said
        (mine,) = there.servers[1:]
        assert (mine["url"], mine["key"]) == (f"http://{address}/mcp", value)


def healthy(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
