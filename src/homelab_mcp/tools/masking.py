"""The server's edge: every answer, error, progress line and question goes through the lab's redactor.

One middleware, so that a tool, resource or prompt that is added later is covered without knowing of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import anyio.to_thread
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from homelab_mcp.core.redact import Redactor
from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import bounded

STATIC = frozenset({"initialize", "server/discover", "ping", "tools/list"})
"""Answers made of this program's own text alone."""

KEPT = frozenset({"requestState", "request_state", "_meta", "resultType", "plan_id", "next_cursor", "nextCursor"})
"""Fields that the client must send back to the letter; made by this program, or sealed."""


class Masking:
    """Server middleware that masks what leaves.

    Args:
        lab: whose secrets.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Let the request through, its way back masked."""
        if ctx.method in STATIC:
            return await call_next(ctx)
        session = ctx.session
        session._request_outbound = _Outbound(session._request_outbound, self._redactor)
        try:
            found = await call_next(ctx)
        except MCPError as error:
            hide = await self._now()
            told = error.error
            raise MCPError(code=told.code, message=hide.data(told.message), data=hide.data(told.data)) from None
        if found is None:
            return None
        body = (
            found.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(found, BaseModel) else found
        )
        return masked_result(body, await self._now())

    def _redactor(self) -> Redactor:
        return self._lab.redactor

    async def _now(self) -> Redactor:
        # A look at the lab's files: off the event loop.
        return await anyio.to_thread.run_sync(self._redactor)


def masked_result(body: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """A result's JSON masked and within its limit; text that repeats the structured content repeats it then too."""
    structured = body.get("structuredContent")
    if structured is None:
        masked: dict[str, Any] = redactor.data(body, KEPT)
        return masked
    rest = {k: v for k, v in body.items() if k not in {"structuredContent", "content"}}
    shown = bounded(redactor.data(structured, KEPT), keep=KEPT)
    content = []
    for block in body.get("content", ()):
        text = block.get("text")
        if isinstance(text, str) and _is(text, structured):
            if shown != structured:
                text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
            content.append({**block, "text": text})
        else:
            content.append(redactor.data(block, KEPT))
    return {**redactor.data(rest, KEPT), "content": content, "structuredContent": shown}


def _is(text: str, structured: Any) -> bool:
    try:
        return bool(json.loads(text) == structured)
    except ValueError:
        return False


class _Outbound:
    """The way from the server to the client during a request: progress, questions, log messages."""

    def __init__(self, inner: Any, redactor: Callable[[], Redactor]) -> None:
        self._inner = inner
        self._redactor = redactor

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: Any = None) -> None:
        """Send a notification, masked."""
        await self._inner.notify(method, await self._hidden(params), opts)

    async def send_raw_request(self, method: str, params: Mapping[str, Any] | None, opts: Any = None) -> Any:
        """Send a request, masked; its answer."""
        return await self._inner.send_raw_request(method, await self._hidden(params), opts)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Report progress, masked."""
        hidden = await self._hidden({"message": message})
        await self._inner.progress(progress, total, hidden["message"] if hidden else None)

    async def _hidden(self, params: Mapping[str, Any] | None) -> Any:
        if params is None:
            return None
        redactor = await anyio.to_thread.run_sync(self._redactor)
        return redactor.data(params, KEPT)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
