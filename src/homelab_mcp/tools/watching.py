"""Resource subscriptions: a client that asked is told when a stack's file, a plan or the journal is another.

Files change in other processes (an apply's worker, a person's editor), so they are looked at every few seconds; only
while somebody asked, and only what they asked for. Clients of 2026-07-28 ask by ``subscriptions/listen``, earlier ones
by ``resources/subscribe``.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError
from mcp.server.subscriptions import ListenHandler, ResourceUpdated, SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

SECONDS = 2.0
"""Between two looks."""

MOST = 200
"""Resources that are looked at, for all clients together."""

CHANGES = re.compile(r"homelab://(stacks/[^/]+/(compose|env)|plans/[^/]+|journal)")
"""Resources that are looked at: those that are cheap to read, and change. Others may be asked for; nothing comes."""


class Watcher:
    """Looks at resources, and tells when one is another than at the last look.

    Args:
        read: a resource's content by its URI, as bytes; may raise what reading a resource raises.
        tell: is given the URI of what changed.
    """

    def __init__(self, read: Callable[[str], Awaitable[bytes]], tell: Callable[[str], Awaitable[None]]) -> None:
        self._read, self._tell = read, tell
        self._asked: Counter[str] = Counter()
        self._last: dict[str, bytes] = {}
        self._task: asyncio.Task[None] | None = None

    async def add(self, uris: Iterable[str]) -> None:
        """Look at these too. Raises MCPError when they would be too many."""
        wanted = [uri for uri in uris if CHANGES.fullmatch(uri)]
        if len(set(self._asked) | set(wanted)) > MOST:
            raise MCPError(INVALID_PARAMS, f"More than {MOST} resources are watched already.")
        self._asked.update(wanted)
        for uri in wanted:
            # A change between the asking and the first look is one.
            self._last.setdefault(uri, await self._seen(uri))
        if self._asked and self._task is None:
            self._task = asyncio.create_task(self._work(), name="watch resources")

    def remove(self, uris: Iterable[str]) -> None:
        """Look at these no more, unless another asked for them too."""
        self._asked.subtract(uri for uri in uris if CHANGES.fullmatch(uri))
        self._asked = +self._asked
        self._last = {uri: seen for uri, seen in self._last.items() if uri in self._asked}
        if not self._asked and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _work(self) -> None:
        failed: set[type[Exception]] = set()
        while True:
            await asyncio.sleep(SECONDS)
            for uri in list(self._asked):
                try:
                    await self._look(uri)
                except Exception as error:
                    # All clients are told by this one task: it goes on, and each kind of failure is logged once.
                    if type(error) not in failed:
                        failed.add(type(error))
                        logging.getLogger("homelab_mcp").exception("looking at what clients watch failed; it goes on")

    async def _look(self, uri: str) -> None:
        now = await self._seen(uri)
        if uri in self._asked and self._last.get(uri) != now:
            self._last[uri] = now
            await self._tell(uri)

    async def _seen(self, uri: str) -> bytes:
        """A digest of the content; of nothing where there is none to read, which may come."""
        try:
            return hashlib.blake2b(await self._read(uri)).digest()
        except (ResourceError, MCPError, OSError):
            return b""


class Listening(ListenHandler):
    """The SDK's handler of ``subscriptions/listen``; what a stream asks for is looked at as long as it is open."""

    def __init__(self, bus: SubscriptionBus, watcher: Watcher, allow: Callable[[Any], None]) -> None:
        super().__init__(bus)
        self._watcher, self._allow = watcher, allow

    async def __call__(self, ctx: Any, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """Serve one stream."""
        uris = sorted(set(params.notifications.resource_subscriptions or ()))
        if uris:
            self._allow(ctx)
        await self._watcher.add(uris)
        try:
            return await super().__call__(ctx, params)
        finally:
            self._watcher.remove(uris)


def serve_subscriptions(
    server: MCPServer[Any], read: Callable[[str], Awaitable[bytes]], allow: Callable[[Any], None]
) -> None:
    """Let clients of both eras subscribe to resources.

    Args:
        server: whose resources.
        read: a resource's content, whoever asks.
        allow: is given the request's context; raises where its client may not read.
    """
    bus = server._subscriptions
    sessions: dict[tuple[int, str], Any] = {}

    async def tell(uri: str) -> None:
        await bus.publish(ResourceUpdated(uri=uri))
        for key, session in list(sessions.items()):
            if key[1] != uri:
                continue
            try:
                await session.send_resource_updated(uri)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
                # This client went away; the others are to be told.
                forget(key)

    watcher = Watcher(read, tell)

    async def subscribe(ctx: Any, params: SubscribeRequestParams) -> EmptyResult:
        allow(ctx)
        connection = ctx.session._connection
        key = (id(connection), str(params.uri))
        if key not in sessions:
            await watcher.add([key[1]])
            sessions[key] = ctx.session
            # A client that goes away asks for nothing more.
            connection.exit_stack.callback(forget, key)
        return EmptyResult()

    async def unsubscribe(ctx: Any, params: UnsubscribeRequestParams) -> EmptyResult:
        forget((id(ctx.session._connection), str(params.uri)))
        return EmptyResult()

    def forget(key: tuple[int, str]) -> None:
        with suppress(KeyError):
            del sessions[key]
            watcher.remove([key[1]])

    plain = server._lowlevel_server
    plain.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    plain.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
    plain.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, Listening(bus, watcher, allow))
