"""What every request goes through first, whatever its route: Host, Origin, token, rate, size.

Order matters: a foreign ``Host`` or ``Origin`` (a browser that was led here) learns nothing about tokens, and nobody
without a token makes the server read more than headers.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homelab_mcp.http.addresses import Headers, Names, Peer, headers_of, peer_of
from homelab_mcp.http.keyring import Keyring
from homelab_mcp.http.limits import Buckets, Slots
from homelab_mcp.http.settings import GIT_HOOK, HttpSettings
from homelab_mcp.model.token import Token
from homelab_mcp.tools.access import SCOPES, TOKEN_KEY, may_call

logger = logging.getLogger("homelab_mcp.http")

REALM = 'Bearer realm="homelab-mcp"'
DRAIN_BYTES = 65_536
DRAIN_SECONDS = 2.0
PROXY_PAUSE = 0.03
FORWARDED = frozenset({b"x-forwarded-for", b"forwarded", b"via"})


class Refused(Exception):
    """A request that is not let through: its HTTP status, and a sentence with the way out."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.id: str | int | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: ``key`` is what is counted, and ``slots`` where."""

    key: str
    peer: Peer
    slots: Slots
    token: Token | None = field(default=None)


class Gate:
    """ASGI: lets through what may pass.

    Args:
        app: what is behind it.
        settings: names, proxies, limits.
        keyring: the tokens.
        public: paths that need no token, each with all below it: they keep their own door, or no secret.
        now: a clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: HttpSettings,
        keyring: Keyring,
        *,
        public: Collection[str] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = AuthContextMiddleware(app)
        self._keyring = keyring
        self._public = tuple(public)
        self._names = Names(settings)
        self._proxies = settings.proxies
        self._limits = limits = settings.limits
        self._now = now
        self._rate = Buckets(limits.rate, limits.burst, now)
        self._refusals = Buckets(limits.refusal_rate, limits.refusal_burst, now)
        self._slots = Slots(limits.at_work, limits.at_work_each)
        # Apart, so that nobody without a token can take the places of those who have one.
        self._public_slots = Slots(limits.at_work, limits.at_work_each)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's start and end."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no WebSocket is served; the server closes what is not accepted
        headers = headers_of(scope)
        peer = peer_of(scope, headers, self._proxies)
        try:
            caller = self._caller(scope, headers, peer)
            self._within_limits(caller)
        except Refused as refusal:
            await _drain(headers, receive)
            await _tell(refusal, scope, receive, self._held(headers, send))
            return
        with caller.slots.hold(caller.key):
            try:
                receive = await self._with_body(headers, receive, scope, caller)
            except Refused as refusal:
                await _tell(refusal, scope, receive, self._held(headers, send))
                return
            self._introduce(scope, caller)
            if caller.token is not None:
                await anyio.to_thread.run_sync(self._keyring.used, caller.token)
            await self._app(scope, receive, self._held(headers, send))

    def _caller(self, scope: Scope, headers: Headers, peer: Peer) -> Caller:
        host = self._names.host(headers.get(b"host", ()), peer, scope.get("server"))
        if host is None:
            raise self._refusal(peer, 421, "This server does not go by that name; see --allow-host.")
        if not self._names.origin(headers.get(b"origin", ()), host, peer):
            raise self._refusal(peer, 403, "Pages of other origins may not call this server.")
        path = scope["path"]
        if any(path == public or path.startswith(f"{public}/") for public in self._public):
            return Caller(f"address {peer.group}", peer, self._public_slots)
        if not self._keyring.needed():
            return Caller(f"address {peer.group}", peer, self._slots)
        given = headers.get(b"authorization", ())
        token = self._token(given)
        if token is None:
            challenge = f'{REALM}, error="invalid_token"' if given else REALM
            raise self._refusal(
                peer,
                401,
                "A bearer token is needed, and a person makes it: `homelab-mcp token create NAME`.",
                WWW_Authenticate=challenge,
            )
        return Caller(f"token {token.id}", peer, self._slots, token)

    def _token(self, given: Sequence[bytes]) -> Token | None:
        if len(given) != 1:
            return None
        kind, _, value = given[0].partition(b" ")
        if kind.lower() != b"bearer" or not (value := value.strip()) or len(value) > 1024:
            return None
        return self._keyring.find(value.decode("latin-1"))

    def _refusal(self, peer: Peer, status: int, message: str, **headers: str) -> Refused:
        """The refusal, or the advice to slow down for who had too many. Values of headers are never logged."""
        if wait := self._refusals.take(peer.group):
            return _wait(wait, "Too many refused requests.")
        logger.warning("refused a request from %s: %s", peer.address or "a socket", status)
        return Refused(status, message, **headers)

    def _within_limits(self, caller: Caller) -> None:
        if wait := self._rate.take(caller.key):
            raise _wait(wait, "Too many requests.")
        if caller.slots.full(caller.key):
            raise Refused(503, "Too many requests at work; try again in a moment.", Retry_After="2")

    async def _with_body(self, headers: Headers, receive: Receive, scope: Scope, caller: Caller) -> Receive:
        """Read the body within its limits, look at what it calls, and hand it on."""
        if not _has_body(headers):
            return receive
        body = bytearray()
        most = self._limits.hook_body if scope["path"] == GIT_HOOK else self._limits.body
        if _declared(headers) > most:
            raise Refused(413, f"A request may have {most} bytes.")
        with anyio.move_on_after(self._limits.body_seconds) as clock:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return _replayed([message], receive)
                body += message.get("body", b"")
                if len(body) > most:
                    raise Refused(413, f"A request may have {most} bytes.")
                if not message.get("more_body", False):
                    break
        if clock.cancelled_caught:
            raise Refused(408, "The request's body took too long.")
        if caller.token is not None and scope["path"] == "/mcp":
            _refuse_beyond_scope(bytes(body), caller.token)
        return _replayed([{"type": "http.request", "body": bytes(body), "more_body": False}], receive)

    def _held(self, headers: Headers, send: Send) -> Send:
        """Hold back the answer's beginning until a proxy in between has seen the end of what it sent.

        Proxies written in Go (Traefik, Caddy) read a request's body once more after its declared length. An answer
        that begins before that closes the body under this read, and the proxy cuts the connection with the answer on
        it (Go's issue 40747; seen with Traefik 3.7 on a busy machine: one stream in forty). The moment cannot be seen
        from here, so `PROXY_PAUSE` seconds pass between the body's end (now) and the answer's first byte. Who comes
        directly waits for nothing.
        """
        if not _has_body(headers) or FORWARDED.isdisjoint(headers):
            return send
        earliest = self._now() + PROXY_PAUSE

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and (wait := earliest - self._now()) > 0:
                await anyio.sleep(wait)
            await send(message)

        return sent

    def _introduce(self, scope: Scope, caller: Caller) -> None:
        # As the client sent it, for cookies and redirects of what is mounted.
        scope["scheme"] = caller.peer.scheme
        scope["client"] = (caller.peer.address, 0) if scope.get("client") else None
        if caller.token is None:
            return
        scope[TOKEN_KEY] = caller.token
        # By this the SDK ties sessions and the state of dialogs to whom they belong.
        access = AccessToken(
            token="-",  # noqa: S106 - its value goes no further
            client_id=caller.token.name,
            subject=caller.token.id,
            scopes=[str(s) for s in caller.token.scopes],
        )
        scope["user"] = AuthenticatedUser(access)


def _refuse_beyond_scope(body: bytes, token: Token) -> None:
    """Say 403 as HTTP knows it; the server itself refuses every such call as well, and is what counts."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return  # what is no JSON is told by the protocol's own error
    if not isinstance(message, dict) or message.get("method") != "tools/call":
        return
    params = message.get("params")
    tool = params.get("name") if isinstance(params, dict) else None
    if not isinstance(tool, str) or tool not in SCOPES or may_call(tool, token.scopes):
        return
    needed = SCOPES[tool]
    refusal = Refused(
        403,
        f"The token {token.name} lacks the scope {needed}, which {tool} needs; a person can make another. "
        "[insufficient_scope]",
        WWW_Authenticate=f'{REALM}, error="insufficient_scope", scope="{needed}"',
    )
    found = message.get("id")
    refusal.id = found if isinstance(found, str | int) else None
    raise refusal


def _wait(seconds: float, what: str) -> Refused:
    whole = str(max(1, math.ceil(seconds)))
    return Refused(429, f"{what} Try again in {whole} s.", Retry_After=whole)


def _has_body(headers: Headers) -> bool:
    return b"transfer-encoding" in headers or _declared(headers) > 0


def _declared(headers: Headers) -> int:
    values = headers.get(b"content-length", ())
    return int(values[0]) if len(values) == 1 and values[0].isdigit() else 0


def _replayed(messages: list[Message], receive: Receive) -> Receive:
    async def replay() -> Message:
        return messages.pop(0) if messages else await receive()

    return replay


async def _drain(headers: Headers, receive: Receive) -> None:
    """Read a small body before the refusal: data left unread makes the kernel reset the connection under it."""
    if not _has_body(headers) or _declared(headers) > DRAIN_BYTES:
        return
    left = DRAIN_BYTES
    with anyio.move_on_after(DRAIN_SECONDS):
        while left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return


async def _tell(refusal: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a JSON-RPC error, which MCP clients show, and close: a refused client gets no idle connection."""
    error: dict[str, Any] = {"code": -32600, "message": str(refusal)}
    body = json.dumps({"jsonrpc": "2.0", "id": refusal.id, "error": error})
    headers = {**refusal.headers, "Connection": "close", "Cache-Control": "no-store"}
    response = Response(body, refusal.status, headers, media_type="application/json")
    await response(scope, receive, send)
