"""Streamable HTTP: what is let in, and what is not."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mcp import Client

from testbed import free_port
from tests.e2e.server import ERAS, Era, LabOnDisk, call, data

PING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


def start(lab: LabOnDisk, port: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "homelab_mcp", "serve", "--http", f"127.0.0.1:{port}"]
    process = subprocess.Popen(argv, env=lab.env(), stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            httpx.get(f"http://127.0.0.1:{port}/mcp", timeout=1)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return process
    process.kill()
    process.wait()
    pytest.fail("the server did not come up")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    process = start(LabOnDisk(tmp_path_factory.mktemp("open")), port)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def with_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    process = start(LabOnDisk(tmp_path_factory.mktemp("token"), {"HOMELAB_HTTP_TOKEN": "a-long-random-token"}), port)
    yield port
    process.terminate()
    process.wait(10)


@pytest.mark.parametrize("era", ERAS)
async def test_clients_of_both_eras_are_served(served: int, era: Era) -> None:
    async with Client(f"http://127.0.0.1:{served}/mcp", mode=era) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {"search_catalog", "add_service", "apply_plan"} <= set(names)
        found = data(await call(client, "search_catalog", query="kuma"))
    assert found["matches"][0]["id"] == "uptime-kuma"


def test_a_page_in_a_browser_cannot_reach_it(served: int) -> None:
    url = f"http://127.0.0.1:{served}/mcp"
    assert httpx.post(url, json=PING, headers={**HEADERS, "Host": "evil.example"}).status_code == 421
    assert httpx.post(url, json=PING, headers={**HEADERS, "Origin": "http://evil.example"}).status_code == 403


def test_without_the_token_nothing_is_answered(with_token: int) -> None:
    url = f"http://127.0.0.1:{with_token}/mcp"
    assert httpx.post(url, json=PING, headers=HEADERS).status_code == 401
    wrong = {**HEADERS, "Authorization": "Bearer another"}
    assert httpx.post(url, json=PING, headers=wrong).status_code == 401
    right = {**HEADERS, "Authorization": "Bearer a-long-random-token"}
    assert httpx.post(url, json=PING, headers=right).status_code not in (401, 403, 421)


def test_an_open_address_needs_a_token(tmp_path: Path) -> None:
    done = LabOnDisk(tmp_path).run("serve", "--http", f"0.0.0.0:{free_port()}", timeout=20)
    assert done.returncode == 1
    assert "HOMELAB_HTTP_TOKEN" in done.stderr
