"""The SDK's server on stdio, told what was said before it was loaded, and its first answers kept for the next start.

It gets every message of the opening again and so is in the state it would be in. Its answers to what was answered
already do not go out a second time: they are compared, and what is kept is dropped if they differ.
"""

from __future__ import annotations

import logging
from typing import Any, Self

import mcp_types
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from homelab_mcp.opening.front import Opening, start_of_answer
from homelab_mcp.opening.kept import Talk


async def serve(server: MCPServer[Any], opening: Opening | None) -> None:
    """Serve on stdin and stdout, as the SDK's ``run_stdio_async`` does, from where the opening left off."""
    if opening is None:
        await server.run_stdio_async()
        return
    plain = server._lowlevel_server
    watch = _Watch(opening)
    async with stdio_server() as (read, write):
        await plain.run(_Reading(read, watch), _Writing(write, watch), plain.create_initialization_options())


class _Watch:
    """Sees every message of the beginning, to keep what is answered."""

    def __init__(self, opening: Opening) -> None:
        self.opening, self._talk = opening, Talk()
        self._asked: dict[str | int, str] = {}

    def came(self, item: SessionMessage | Exception) -> None:
        """Take in what the client said."""
        message = item.message if isinstance(item, SessionMessage) else None
        if isinstance(message, JSONRPCRequest):
            key = self._talk.key(message.method, message.params)
            if key and message.id not in self.opening.answered:
                self._asked[message.id] = key
        elif isinstance(message, JSONRPCNotification):
            self._talk.noted(message.method)

    def goes(self, message: Any) -> bool:
        """Whether that goes to the client; an answer to be kept is."""
        answer = getattr(message, "id", None)
        if hasattr(message, "method") or answer is None:
            return True
        given, key = self.opening.answered.pop(answer, None), self._asked.pop(answer, None)
        if given is None and key is None:
            return True
        text = message.model_dump_json(by_alias=True, exclude_unset=True)
        start = start_of_answer(answer)
        found = text[len(start) : -1] if isinstance(message, JSONRPCResponse) and text.startswith(start) else None
        if given is not None and found != given:
            self.opening.kept.forget()
            logging.getLogger("homelab_mcp").warning(
                "what an earlier start answered is no longer right: connect again to see the tools as they are"
            )
        if key is not None and found is not None:
            self.opening.kept.answers[key] = found
            self.opening.kept.save()
        return given is None


class _Reading:
    """The SDK's stream of what comes, after the messages of the opening."""

    def __init__(self, inner: Any, watch: _Watch) -> None:
        self._inner, self._watch = inner, watch
        self._before = [_message(line) for line in watch.opening.lines]
        self._before.reverse()

    @property
    def last_context(self) -> Any:
        """In which context the last message was sent."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """The next message."""
        item: SessionMessage | Exception = self._before.pop() if self._before else await self._inner.receive()
        self._watch.came(item)
        return item

    async def __anext__(self) -> SessionMessage | Exception:
        item: SessionMessage | Exception = self._before.pop() if self._before else await self._inner.__anext__()
        self._watch.came(item)
        return item

    def __aiter__(self) -> Self:
        return self

    async def aclose(self) -> None:
        """Close it."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failed: object) -> None:
        await self.aclose()


class _Writing:
    """The SDK's stream of what goes out, without what went out before."""

    def __init__(self, inner: Any, watch: _Watch) -> None:
        self._inner, self._watch = inner, watch

    async def send(self, item: SessionMessage, /) -> None:
        """Send a message, unless it was."""
        if self._watch.goes(item.message):
            await self._inner.send(item)

    async def aclose(self) -> None:
        """Close it."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failed: object) -> None:
        await self.aclose()


def _message(line: bytes) -> SessionMessage | Exception:
    """A line as the SDK's own reader gives it on: what it cannot read goes on as the error."""
    try:
        text = line.decode("utf-8", errors="replace")
        return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(text, by_name=False))
    except Exception as error:  # noqa: BLE001 - whatever it is, as the SDK does it
        return error
