"""A server process that listens, and clients that come to it with tokens."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult

from testbed import free_port
from tests.e2e.server import Era, LabOnDisk

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
PING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Served:
    """A server at work; ``said`` is what it wrote on stderr so far."""

    lab: LabOnDisk
    port: int
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    host: str = "127.0.0.1"
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/mcp"

    def post(self, body: Any = PING, path: str = "/mcp", **headers: str) -> httpx.Response:
        at = self.url.removesuffix("/mcp") + path
        return httpx.post(at, json=body, headers={**HEADERS, **{k.replace("_", "-"): v for k, v in headers.items()}})


@contextmanager
def serving(
    lab: LabOnDisk, *options: str, host: str = "127.0.0.1", verify: str = "", module: str = "homelab_mcp"
) -> Iterator[Served]:
    port = free_port()
    argv = [sys.executable, "-m", module, "serve", "--http", f"{host}:{port}", *options]
    process = subprocess.Popen(argv, env=lab.env(), stderr=subprocess.PIPE, text=True)
    served = Served(lab, port, process, host=host, scheme="https" if verify else "http")
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: served.said.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        end = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{served.scheme}://{host}:{port}/healthz", timeout=1, verify=False)
                break
            except httpx.TransportError:
                if process.poll() is not None:
                    pytest.fail(f"the server ended: {served.said}")
                if time.monotonic() >= end:
                    pytest.fail("the server did not come up")
                time.sleep(0.1)
        yield served
    finally:
        process.terminate()
        process.wait(15)
        reader.join(5)
        process.stderr.close()


@asynccontextmanager
async def client_of(
    url: str,
    token: str = "",
    era: Era = "auto",
    *,
    headers: dict[str, str] | None = None,
    verify: Any = True,
    answer: Callable[[str], ElicitResult] | None = None,
) -> AsyncIterator[Client]:
    """The SDK's client over real HTTP. ``answer``: None for a client that cannot ask a person."""

    async def person(context: Any, params: ElicitRequestParams) -> ElicitResult:
        assert answer is not None
        return answer(params.message)

    sent = {**(bearer(token) if token else {}), **(headers or {})}
    async with (
        httpx2.AsyncClient(headers=sent, timeout=30, verify=verify) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=era, elicitation_callback=person if answer else None
        ) as client,
    ):
        yield client


def self_signed(folder: Path) -> Path:
    """Key and certificate for 127.0.0.1, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    file = folder / "both.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file
