"""A page with a certificate of its own behind the real Traefik: open over its own transport, closed over any other."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.core.own_certificates import FILE, file_text
from testbed import free_port
from testbed.acme import make_certificates
from testbed.docker_engine import wait_until
from testbed.images import traefik_binary

pytestmark = pytest.mark.timeout(180)


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the panel")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[str]:
    """A page that speaks HTTPS alone, with a certificate that nobody knows; its address."""
    _, certificate, key = make_certificates(["panel"])
    (tmp_path / "own.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def asked(port: int, host: str) -> int | str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.code


def test_only_the_service_that_is_named_is_asked_without_a_check(panel: str, tmp_path: Path) -> None:
    binary = traefik_binary()
    assert binary is not None, "run script/setup: it puts Traefik beside this Python"
    folder, port = tmp_path / "dynamic", free_port()
    folder.mkdir()
    (folder / FILE).write_text(file_text(["panel-own-certificate"]))
    transports = {"panel": "panel-own-certificate@file", "other": "default@internal", "lost": "gone@file"}
    routers = [f'    {name}: {{rule: "Host(`{name}.lab`)", service: {name}}}' for name in transports]
    services = [
        f'    {name}: {{loadBalancer: {{serversTransport: "{way}", servers: [{{url: "{panel}"}}]}}}}'
        for name, way in transports.items()
    ]
    (folder / "routes.yaml").write_text("\n".join(["http:", "  routers:", *routers, "  services:", *services]) + "\n")
    flags = (f"--entrypoints.web.address=127.0.0.1:{port}", f"--providers.file.directory={folder}", "--log.level=FATAL")
    process = subprocess.Popen([str(binary), *flags])
    try:

        def answers() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                return asked(port, "other.lab") != 404
            return False

        wait_until(answers, "Traefik to have read its files", within=120, every=0.2)
        assert asked(port, "panel.lab") == "the panel"
        assert asked(port, "other.lab") == 500, "Traefik's usual transport must check the certificate"
        assert asked(port, "lost.lab") == 404, "over a transport that nobody defines there is no route"
    finally:
        process.terminate()
        process.wait(30)
