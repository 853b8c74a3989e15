"""A registry's tokens, pages and refusals over real HTTP, from a stand-in: docker-registry gives no tokens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from homelab_mcp.adapters.registry import HttpRegistry
from homelab_mcp.core.image_updates import ImageName
from homelab_mcp.model.errors import EngineUnavailable, NotFound

pytestmark = pytest.mark.unit


class RegistryServer(ThreadingHTTPServer):
    """A stand-in that behaves as told: ``realm`` of its challenge, and what its first page points to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self.realm = f"http://{self.address}/token"
        self.next = "/v2/team/wiki/tags/list?n=1000&last=1.1"
        self.asked: list[tuple[str, str, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: RegistryServer

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        given = self.headers.get("Authorization", "")
        self.server.asked.append((self.command, self.path, given))
        if self.path.startswith("/token"):
            self._send(200, {"token": "for-anybody"})
        elif "busy" in self.path:
            self._send(429, {})
        elif given != "Bearer for-anybody":
            challenge = f'Bearer realm="{self.server.realm}",service="stand-in",scope="repository:team/wiki:pull"'
            self._send(401, {}, {"WWW-Authenticate": challenge})
        elif "missing" in self.path:
            self._send(404, {})
        elif "/manifests/" in self.path:
            self._send(200, {}, {"Docker-Content-Digest": "sha256:" + "a" * 64})
        elif "last=" in self.path:
            self._send(200, {"tags": ["1.2"]})
        else:
            self._send(200, {"tags": ["1.0", "1.1"]}, {"Link": f'<{self.server.next}>; rel="next"'})

    def _send(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing is to be printed."""


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    made = RegistryServer()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def image(server: RegistryServer, name: str = "team/wiki") -> ImageName:
    return ImageName(server.address, name, "1.0")


def test_a_token_for_anybody_is_asked_for_once_and_every_page_is_read(server: RegistryServer) -> None:
    registry = HttpRegistry()
    assert registry.tags(image(server)) == ("1.0", "1.1", "1.2")
    assert registry.digest(image(server)) == "sha256:" + "a" * 64
    tokens = [path for _, path, _ in server.asked if path.startswith("/token")]
    assert tokens == ["/token?scope=repository%3Ateam%2Fwiki%3Apull&service=stand-in"]
    # A GET of a manifest would count as a pull.
    assert {method for method, path, _ in server.asked if "/manifests/" in path} == {"HEAD"}


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [("team/missing", NotFound, "image_unknown"), ("team/busy", EngineUnavailable, "registry_limit")],
)
def test_what_a_registry_refuses_is_told_as_it_is(
    server: RegistryServer, name: str, error: type[EngineUnavailable], code: str
) -> None:
    with pytest.raises(error) as told:
        HttpRegistry().tags(image(server, name))
    assert told.value.code == code


def test_a_challenge_that_points_to_a_plain_host_elsewhere_is_not_followed(server: RegistryServer) -> None:
    server.realm = "http://192.0.2.1/token"
    with pytest.raises(NotFound):
        HttpRegistry(seconds=2).tags(image(server))
    assert not [path for _, path, _ in server.asked if path.startswith("/token")]


def test_a_page_on_another_host_is_refused_with_its_token_at_home(server: RegistryServer) -> None:
    server.next = "http://localhost.example/v2/team/wiki/tags/list"
    with pytest.raises(EngineUnavailable):
        HttpRegistry().tags(image(server))


def test_one_that_does_not_answer_is_told_within_its_time() -> None:
    with pytest.raises(EngineUnavailable) as told:
        HttpRegistry(seconds=1).tags(ImageName("127.0.0.1:9", "a", "1"))
    assert "cannot be reached" in told.value.message
