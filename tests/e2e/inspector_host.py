"""MCP Inspector's web client, a published host of MCP Apps: it calls a tool and shows the page that goes with it.

Driven as its own docs/mcp-app-review.md says: one address that connects, calls and opens, and attributes to wait for.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from testbed import free_port
from tests.e2e.browser import Browser
from tests.e2e.child import listening
from tests.e2e.protocol import INSPECTOR, NODE, require

TOKEN = "token-of-a-test"
STARTS_WITHIN = 120.0


@dataclass(frozen=True)
class InspectorHost:
    """One that runs."""

    address: str

    def show(self, browser: Browser, server: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """Connect to a server, call the tool, and show its page; the browser is outside of the page after it."""
        given = base64.urlsafe_b64encode(json.dumps(arguments).encode()).decode().rstrip("=")
        words = {
            "serverUrl": server, "transport": "http", "autoConnect": TOKEN,
            "openApp": tool, "appArgs": given, "autoOpen": TOKEN,
        }  # fmt: skip
        browser.ask("POST", "/frame", {"id": None})
        browser.open(f"{self.address}/?{urlencode(words)}")
        until(browser, CONNECTED)
        until(browser, READY)

    def inside(self, browser: Browser) -> None:
        """Go into the page: it lies in a frame of the host's frame, which is of another origin."""
        browser.ask("POST", "/frame", {"id": None})
        for _ in range(2):
            until(browser, "return document.querySelectorAll('iframe').length === 1")
            browser.ask("POST", "/frame", {"id": 0})


CONNECTED = "return !!document.querySelector('[data-testid=connection-status][data-status=connected]')"
READY = "return !!document.querySelector('[data-app-status=ready]')"


def until(browser: Browser, question: str, seconds: float = 90) -> None:
    """Until the page answers a question (JavaScript) with yes."""
    end = time.monotonic() + seconds
    while not browser.script(question):
        assert time.monotonic() < end, (question, browser.text()[-2000:], browser.complaints()[-10:])
        time.sleep(0.2)


@contextmanager
def inspector_host(folder: Path) -> Iterator[InspectorHost]:
    """The Inspector on loopback, with all that it keeps in ``folder``."""
    require(INSPECTOR)
    port = free_port()
    env = {
        "PATH": f"{NODE.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "HOST": "127.0.0.1",
        "CLIENT_PORT": str(port),
        "MCP_SANDBOX_PORT": str(free_port()),
        "MCP_APP_ORIGIN_PORT": str(free_port()),
        "MCP_AUTO_OPEN_ENABLED": "false",
        "MCP_INSPECTOR_API_TOKEN": TOKEN,
        "MCP_STORAGE_DIR": str(folder / "storage"),
        "MCP_CATALOG_PATH": str(folder / "mcp.json"),
    }
    address = f"http://127.0.0.1:{port}"
    argv = [str(NODE), str(INSPECTOR), "--web"]
    with listening(argv, address, folder / "inspector.log", env, within=STARTS_WITHIN):
        yield InspectorHost(address)
