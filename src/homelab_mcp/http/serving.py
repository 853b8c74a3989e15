"""The application behind its gate, and uvicorn in front of both."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

import h11
import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from homelab_mcp.http.addresses import within
from homelab_mcp.http.gate import Gate
from homelab_mcp.http.keyring import Keyring
from homelab_mcp.http.settings import HttpSettings, Network
from homelab_mcp.model.errors import InvalidInput

HEALTH = "/healthz"
HEADER_BYTES = 16_384

Mounted = tuple[str, ASGIApp]
"""A path and what answers below it, with a door of its own: no bearer token is asked there."""


def application(
    server: MCPServer[Any], settings: HttpSettings, keyring: Keyring, mounts: Sequence[Mounted] = ()
) -> ASGIApp:
    """MCP at ``/mcp``, ``/healthz``, and what is mounted, all behind one gate."""
    limits = settings.limits
    app = server.streamable_http_app(
        session_idle_timeout=limits.session_idle,
        max_sessions=limits.sessions,
        max_request_body_size=limits.body,
        # The gate has looked at Host and Origin, on every route and not on this one alone.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    app.router.routes.append(Route(HEALTH, _health, methods=["GET"]))
    app.router.routes.extend(Mount(path, mounted) for path, mounted in mounts)
    return Gate(app, settings, keyring, public=(HEALTH, *(path for path, _ in mounts)))


def listener(app: ASGIApp, settings: HttpSettings) -> uvicorn.Server:
    """What listens, until the process is told to end, once its ``run`` is called. Raises InvalidInput (bad_tls)."""
    limits = settings.limits
    context = _tls(settings) if settings.tls_cert else None

    class Protocol(TimedProtocol):
        header_seconds = limits.header_seconds
        each = limits.connections_each
        proxies = settings.proxies

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Protocol,
        ws="none",
        # Our own logging stays as it is; request lines are not kept, as queries may hold anything.
        log_config=None,
        access_log=False,
        # Whom to believe is the gate's business, which knows the proxies.
        proxy_headers=False,
        server_header=False,
        limit_concurrency=limits.connections,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_graceful_shutdown=5,
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )
    return uvicorn.Server(config)


class TimedProtocol(H11Protocol):
    """HTTP/1.1 whose headers must arrive in time; uvicorn itself waits for them without end (slow loris)."""

    header_seconds = 10.0
    each = 64
    proxies: tuple[Network, ...] = ()
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock with the connection; end it where its address has too many already."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if address and not within(address, self.proxies):
            same = sum(1 for other in self.connections if (getattr(other, "client", None) or ("",))[0] == address)
            if same > self.each:
                transport.abort()
                return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when the headers are there; start it at the first byte of the next request's."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.header_seconds, self._too_late)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.abort()


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _tls(settings: HttpSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or "not readable"
        raise InvalidInput(
            f"The TLS certificate or its key cannot be used: {why}.",
            hint="Both are PEM files: --tls-cert the whole chain, --tls-key the key that belongs to it.",
            code="bad_tls",
        ) from None
    return context
