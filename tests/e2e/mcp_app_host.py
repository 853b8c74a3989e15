"""A stand-in for a chat program that shows MCP Apps: a page that speaks the host's side of the protocol, and no more.

Written from the specification (2026-01-26): the view in a sandboxed frame of another origin under the content security
policy that hosts must use, the handshake, the tool's result, links to open. It can be made to misbehave, and it is
quick; a published host, which is neither, is in inspector_host.py.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e.browser import Browser

POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'self'"
)
"""What the specification tells hosts to use where a server declares no hosts of its own."""

PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Host</title>
<style>body { margin: 0; } iframe { border: 0; width: 100%; display: block; }</style></head><body>
<script>
window.seen = [];
(async () => {
  const given = await (await fetch("/given")).json();
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts allow-same-origin");
  const post = m => frame.contentWindow.postMessage({ jsonrpc: "2.0", ...m }, "*");
  window.tell = post;
  window.addEventListener("message", e => {
    if (e.source !== frame.contentWindow) return;
    const m = e.data;
    window.seen.push(m);
    if (m.method === "ui/initialize") post({ id: m.id, result: { protocolVersion: "2026-01-26",
      hostInfo: { name: "stand-in", version: "1" }, hostCapabilities: given.capabilities,
      hostContext: given.context } });
    else if (m.method === "ui/notifications/initialized") {
      post({ method: "ui/notifications/tool-input", params: { arguments: {} } });
      post({ method: "ui/notifications/tool-result", params: given.result });
    } else if (m.method === "ui/notifications/size-changed") frame.style.height = m.params.height + "px";
    else if (m.id !== undefined && m.method) post({ id: m.id, result: {} });
  });
  frame.src = `http://localhost:${location.port}/view`;
  document.body.append(frame);
})();
</script></body></html>"""


@dataclass
class Host:
    """The stand-in at work. ``reached`` are the paths that were asked for beside its own."""

    address: str
    view: str
    given: dict[str, Any] = field(default_factory=dict)
    policy: str = POLICY
    reached: list[str] = field(default_factory=list)

    def show(
        self,
        browser: Browser,
        result: Mapping[str, Any],
        *,
        context: Mapping[str, Any] | None = None,
        capabilities: Mapping[str, Any] | None = None,
    ) -> None:
        """Show the view of a tool's result; scripts and texts are the view's own after it."""
        self.given = {"result": result, "context": context or {}, "capabilities": capabilities or {}}
        browser.ask("POST", "/frame", {"id": None})
        browser.open(self.address)
        end = time.monotonic() + 20
        while not browser.script("return document.querySelector('iframe') !== null && window.seen.length > 1"):
            assert time.monotonic() < end, "the view did not begin"
        self.inside(browser)

    def inside(self, browser: Browser) -> None:
        """Go into the view's frame."""
        browser.ask("POST", "/frame", {"id": None})
        browser.ask("POST", "/frame", {"id": 0})

    def seen(self, browser: Browser) -> list[dict[str, Any]]:
        """What the view sent so far."""
        browser.ask("POST", "/frame", {"id": None})
        found: list[dict[str, Any]] = browser.script("return window.seen")
        self.inside(browser)
        return found

    def tell(self, browser: Browser, message: Mapping[str, Any]) -> None:
        """Send the view a message."""
        browser.ask("POST", "/frame", {"id": None})
        browser.script("window.tell(arguments[0])", message)
        self.inside(browser)


@contextmanager
def app_host(view: str) -> Iterator[Host]:
    """The stand-in on loopback, for the view with this HTML."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            at = self.path
            body, kind = {
                "/": (PAGE, "text/html"),
                "/given": (json.dumps(host.given), "application/json"),
                "/view": (host.view, "text/html"),
            }.get(at, ("", "text/plain"))
            if not body and at != "/favicon.ico":
                host.reached.append(at)
            text = body.encode()
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Access-Control-Allow-Origin", "*")
            if at == "/view" and host.policy:
                self.send_header("Content-Security-Policy", host.policy)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host = Host(f"http://127.0.0.1:{http.server_port}/", view)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
