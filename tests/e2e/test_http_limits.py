"""What one HTTP server stands: real sockets against the whole application, with small limits."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.http.keyring import Keyring
from homelab_mcp.http.serving import application, listener
from homelab_mcp.http.settings import HttpSettings, Limits
from homelab_mcp.model.token import Scope
from homelab_mcp.server import build
from testbed import free_port
from tests.e2e.http_server import HEADERS, PING, bearer, client_of, self_signed

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
}


USUAL = Limits()


async def page(scope: AsgiScope, receive: Receive, send: Send) -> None:
    """Stands for the approval page: no token of its own is asked, and it may take its time."""
    request = Request(scope, receive)
    if request.url.path.endswith("/slow"):
        await anyio.sleep(1.5)
    assert request.client is not None
    body = await request.body()
    answer: Response = JSONResponse({"scheme": request.url.scheme, "client": request.client.host, "bytes": len(body)})
    await answer(scope, receive, send)


@dataclass
class Listening:
    port: int
    token: str
    other: str
    scheme: str = "http"

    @property
    def base(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def post(self, path: str = "/mcp", body: Any = PING, *, token: str | None = None, **headers: str) -> httpx.Response:
        sent = {**HEADERS, **bearer(self.token if token is None else token), **headers}
        return httpx.post(self.base + path, json=body, headers=sent, timeout=10)


@contextmanager
def listening(root: Path, limits: Limits = USUAL, **settings: Any) -> Iterator[Listening]:
    lab = open_lab(str(root), files_only=True)
    _, token = lab.tokens.create("one", (Scope.READ,), 1)
    _, other = lab.tokens.create("two", (Scope.READ,), 1)
    port = free_port()
    given = HttpSettings("127.0.0.1", port, limits=limits, **settings)
    keyring = Keyring(lab.tokens, "", (), always=True)
    server = build(lab)
    server.token_needed = keyring.needed
    uvicorn = listener(application(server, given, keyring, [("/approvals", page)]), given)
    thread = threading.Thread(target=uvicorn.run)
    thread.start()
    try:
        while not uvicorn.started:
            time.sleep(0.02)
        yield Listening(port, token, other, given.scheme)
    finally:
        uvicorn.should_exit = True
        uvicorn.force_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with listening(tmp_path_factory.mktemp("usual"), Limits(refusal_burst=10_000)) as server:
        yield server


@pytest.mark.parametrize("path", ["/mcp", "/healthz", "/approvals/", "/approvals/x", "/nowhere"])
def test_foreign_names_and_pages_are_sent_away_on_every_route(usual: Listening, path: str) -> None:
    for host in ("evil.example", f"evil.example:{usual.port}", "127.0.0.1", f"localhost.evil:{usual.port}"):
        for token in (usual.token, "wrong"):
            assert usual.post(path, token=token, Host=host).status_code == 421, host
    for origin in ("http://evil.example", "null", "http://127.0.0.1:3000", f"http://localhost:{usual.port}"):
        for token in (usual.token, "wrong"):
            assert usual.post(path, token=token, Origin=origin).status_code == 403, origin
    own = usual.post(path, Origin=usual.base).status_code
    assert own not in (401, 403, 421)


def test_what_is_mounted_is_asked_for_no_token_and_told_who_calls(usual: Listening) -> None:
    answer = usual.post("/approvals/", "x" * 100, token="wrong", **{"X-Forwarded-For": "1.2.3.4"})
    assert answer.json() == {"scheme": "http", "client": "127.0.0.1", "bytes": 102}
    for beside in ("/approvalsx", "/Approvals/", "/approvals%2f..%2fmcp/", "//approvals/"):
        assert usual.post(beside, token="wrong").status_code in (401, 200), beside
    assert usual.post("/approvals/../mcp", token="wrong").status_code == 401


def test_forwarded_headers_count_behind_a_proxy_that_was_named(tmp_path: Path) -> None:
    with listening(tmp_path, behind_proxy=("127.0.0.0/8",), allow_hosts=("mcp.example.org",)) as server:
        forwarded = {"Host": "mcp.example.org", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        answer = server.post("/approvals/", **forwarded, Origin="https://mcp.example.org")
        assert answer.json() == {
            "scheme": "https",
            "client": "203.0.113.9",
            "bytes": len(json.dumps(PING, separators=(",", ":"))),
        }
        assert server.post("/approvals/", **forwarded, Origin="http://mcp.example.org").status_code == 403


def test_bodies_are_capped_whether_their_size_is_told_or_not(usual: Listening) -> None:
    big = b" " * (4 * 1024 * 1024 + 1)
    for content in (big, iter([big])):
        for path in ("/mcp", "/approvals/"):
            try:
                sent = {**HEADERS, **bearer(usual.token)}
                status = httpx.post(usual.base + path, content=content, headers=sent).status_code
            except (httpx.WriteError, httpx.ReadError):
                status = 413  # the connection was closed while the rest was still being sent
            assert status == 413
            content = iter([big]) if content is not big else big
    assert usual.post().status_code not in (413, 500)


def read_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def test_slow_headers_are_cut_off_and_hold_nobody_up(tmp_path: Path) -> None:
    with listening(tmp_path, Limits(header_seconds=1.0)) as server, ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(40)]
        begun = time.monotonic()
        for connection in slow[1:]:
            connection.sendall(b"GET /mcp HTTP/1.1\r\nHost: a\r\n")
        # One goes on, a header every now and then, and gains nothing by it.
        with pytest.raises(OSError):
            slow[0].sendall(b"GET /mcp HTTP/1.1\r\n")
            while time.monotonic() - begun < 5:
                slow[0].sendall(b"X: y\r\n")
                time.sleep(0.1)
        assert 0.8 < time.monotonic() - begun < 3
        for connection in slow[1:]:
            connection.settimeout(3)
            read_all(connection)
        assert time.monotonic() - begun < 4
        assert httpx.get(f"{server.base}/healthz").status_code == 200


def test_the_second_request_of_a_connection_is_timed_too(tmp_path: Path) -> None:
    ask = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n"
    with (
        listening(tmp_path, Limits(header_seconds=0.7)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=3) as connection,
    ):
        whole = ask.format(server.port).encode()
        connection.sendall(whole)
        answer = b""
        while not answer.endswith(b'{"status":"ok"}'):
            answer += connection.recv(65536)
        connection.sendall(whole[:20])
        begun = time.monotonic()
        assert read_all(connection) == b""
        assert time.monotonic() - begun < 2.5, "before uvicorn's own five seconds between requests"


def test_a_slow_body_is_cut_off(tmp_path: Path) -> None:
    with listening(tmp_path, Limits(body_seconds=0.5)) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(
                f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
            )
            assert b"408 Request Timeout" in read_all(connection)
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(
                f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 100\r\n\r\n{{".encode()
            )
            assert b"401 Unauthorized" in read_all(connection), "and closed, without waiting for the rest"


def test_headers_without_end_are_refused(usual: Listening) -> None:
    with socket.create_connection(("127.0.0.1", usual.port), timeout=5) as connection:
        connection.sendall(b"GET /mcp HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000)
        assert b"400 Bad Request" in read_all(connection)


def test_requests_are_counted_by_token(tmp_path: Path) -> None:
    with listening(tmp_path, Limits(rate=0.5, burst=5)) as server:
        answers = [server.post() for _ in range(7)]
        assert [a.status_code == 429 for a in answers] == [False] * 5 + [True] * 2
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 2
        assert "Try again in" in answers[-1].json()["error"]["message"]
        assert server.post(token=server.other).status_code != 429
        time.sleep(2.1)
        assert server.post().status_code != 429


def test_requests_at_work_are_few_and_nobody_without_a_token_takes_the_places_of_others(tmp_path: Path) -> None:
    with listening(tmp_path, Limits(at_work=3, at_work_each=3)) as server:
        statuses: list[int] = []

        def slow() -> None:
            statuses.append(httpx.get(f"{server.base}/approvals/slow", timeout=10).status_code)

        threads = [threading.Thread(target=slow) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        assert server.post().status_code not in (429, 503)
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200, 200, 200, 503, 503, 503]
        assert httpx.get(f"{server.base}/approvals/").status_code == 200


def test_one_address_has_so_many_connections(tmp_path: Path) -> None:
    with listening(tmp_path, Limits(connections_each=10)) as server, ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        time.sleep(0.2)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.base}/healthz")


def test_sessions_are_few(tmp_path: Path) -> None:
    with listening(tmp_path, Limits(sessions=2)) as server:
        assert [server.post(body=HELLO).status_code for _ in range(3)] == [200, 200, 503]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


async def test_tls_is_1_2_at_least(tmp_path: Path, certificate: Path) -> None:
    with listening(tmp_path, tls_cert=str(certificate), tls_key=str(certificate)) as server:
        trust = ssl.create_default_context(cafile=str(certificate))
        async with client_of(f"{server.base}/mcp", server.token, verify=trust) as client:
            assert (await client.list_tools()).tools
        seen = {}
        for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(certificate)
            # Without it this machine's own library would not even offer the old version.
            context.set_ciphers("ALL:@SECLEVEL=0")
            with pytest.warns(DeprecationWarning) if version is ssl.TLSVersion.TLSv1_1 else ExitStack():
                context.minimum_version = context.maximum_version = version
            try:
                with (
                    socket.create_connection(("127.0.0.1", server.port)) as raw,
                    context.wrap_socket(raw, server_hostname="127.0.0.1") as wrapped,
                ):
                    seen[version] = wrapped.version()
            except (ssl.SSLError, ConnectionResetError):
                seen[version] = None
        assert list(seen.values()) == [None, "TLSv1.2", "TLSv1.3"]
