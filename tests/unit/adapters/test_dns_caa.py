"""CAA records and the clock, asked of real servers on loopback that answer as is written here."""

from __future__ import annotations

import http.server
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from homelab_mcp.adapters.dns_caa import caa
from homelab_mcp.adapters.server_clock import clock_off
from testbed.own_device import self_signed


def record(tag: str, value: str, kind: int = 257) -> bytes:
    data = bytes([0, len(tag)]) + tag.encode() + value.encode() if kind == 257 else value.encode()
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


@contextmanager
def resolver(zone: dict[str, list[bytes]], code: int = 0) -> Iterator[tuple[tuple[str, int], list[str]]]:
    """A DNS server with these answers by name, and the names that it was asked for."""
    asked: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    question, who = server.recvfrom(512)
                except OSError:
                    continue
                labels, at = [], 12
                while size := question[at]:
                    labels.append(question[at + 1 : at + 1 + size].decode())
                    at += 1 + size
                name = ".".join(labels)
                asked.append(name)
                answers = zone.get(name, [])
                head = question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(answers), 0, 0)
                server.sendto(head + question[12:] + b"".join(answers), who)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname(), asked
        finally:
            done.set()
            thread.join()


def test_the_nearest_name_with_records_counts() -> None:
    zone = {
        "lab.example": [
            record("", "alias", kind=5),
            record("issue", "LetsEncrypt.org; accounturi=https://x/1"),
            record("issuewild", ";"),
            record("iodef", "mailto:x@lab.example"),
        ],
        "example": [record("issue", "other.example")],
    }
    with resolver(zone) as (server, asked):
        assert caa("*.media.lab.example", (server,)) == ("issue letsencrypt.org", "issuewild")
        assert asked == ["media.lab.example", "lab.example"]
        assert caa("nothing.test", (server,)) == ()


def test_a_resolver_that_refuses_or_babbles_is_no_answer() -> None:
    with resolver({}, code=5) as (server, _):
        assert caa("lab.example", (server,)) is None
    with resolver({"lab.example": [b"\xc0\x0c\x01"]}) as (server, _):
        assert caa("lab.example", (server,)) is None
    assert caa("lab.example", ()) is None
    assert caa("a" * 80, (("127.0.0.1", 9),)) == (), "a name that DNS cannot hold has none"


@pytest.mark.parametrize("off", [0, -4000])
def test_the_clock_is_compared_with_a_servers_date(tmp_path: Path, off: int) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(405)
            self.send_header("Date", formatdate(time.time() - off, usegmt=True))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, text in zip(("crt", "key"), self_signed("clock.test"), strict=True):
        (tmp_path / name).write_text(text)
    trust.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        server.socket = trust.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        seen = clock_off(f"https://127.0.0.1:{server.server_port}/directory")
        thread.join()
    assert seen is not None
    assert abs(seen - off) < 3
    assert clock_off("http://127.0.0.1/") is None
    assert clock_off("https://127.0.0.1:9/") is None
