"""A STAND-IN for Sablier and its Traefik plugin: the real ones cannot be fetched where there is no internet."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from homelab_mcp.core.lazy import PLUGIN

PLUGIN_FLAG = f"--experimental.localplugins.sablier.modulename={PLUGIN}"


def put_plugin(folder: Path) -> None:
    """The plugin's source where Traefik looks for local plugins, below its working folder."""
    shutil.copytree(Path(__file__).parent / "plugin", folder / "plugins-local/src" / PLUGIN)


@dataclass
class SablierStandIn:
    """Answers as Sablier's two strategies do, and asks ``ready`` whether a group runs; a visit is what wakes it."""

    ready: Callable[[str], bool]
    wake: Callable[[str], None]
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def serving(self, host: str = "127.0.0.1") -> Iterator[SablierStandIn]:
        """Serve until the end of the block."""
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {k: v[0] for k, v in parse_qs(parts.query).items()}
                stand_in.asked.append({"strategy": parts.path.rpartition("/")[2], **query})
                ready = stand_in.ready(query["group"])
                if not ready:
                    stand_in.wake(query["group"])
                page = b"" if ready else f"waiting for {query.get('display_name', '')}".encode()
                self.send_response(200)
                self.send_header("X-Sablier-Session-Status", "ready" if ready else "not-ready")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer((host, 0), Handler)
        self.url = f"http://{host}:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
