"""The one way in and out of every tool: errors mapped, results compact, structured content equal to the text.

A client that shows both text and structured content (OpenWebUI) appends the second unless the text is the same
JSON; so one helper makes both.
"""

from __future__ import annotations

import difflib
import functools
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection
from typing import Any, ParamSpec

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, ValidationError

from homelab_mcp.core.misfit import misfits
from homelab_mcp.core.redact import clean
from homelab_mcp.model.errors import HomelabError, storage_failed
from homelab_mcp.model.plan import Requester
from homelab_mcp.model.token import Scope
from homelab_mcp.tools.access import SCOPES, token_of
from homelab_mcp.tools.toolsets import TOOLSETS

logger = logging.getLogger("homelab_mcp.tools")

P = ParamSpec("P")

ERROR_LIMIT = 4_000
"""Characters of one error; it may repeat a name that was given, and what is given may be of any length."""


def result(model: BaseModel) -> CallToolResult:
    """The model as a tool result: compact JSON text, and the same as structured content; unset fields left out.

    On its way out it is masked, and held to ``bounded.RESULT_LIMIT`` where no page of its own did that.
    """
    data = model.model_dump(mode="json", exclude_none=True)
    text = model.model_dump_json(exclude_none=True)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=data)


def guarded(fn: Callable[P, Awaitable[CallToolResult]]) -> Callable[P, Awaitable[CallToolResult]]:
    """Wrap a tool so that each error of ours reaches the model with its way out, and no traceback ever does."""

    @functools.wraps(fn)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> CallToolResult:
        try:
            return await fn(*args, **kwargs)
        except HomelabError as error:
            raise ToolError(told(error)) from error
        except (ToolError, AssertionError):
            raise
        except OSError as error:
            raise ToolError(told(storage_failed(error, "A file of the lab"))) from error
        except Exception as error:
            # The edge: the text of an unforeseen error may hold anything, so it goes to the log alone.
            raise unforeseen(fn.__name__) from error

    return wrapper


def unforeseen(tool: str) -> ToolError:
    """What a client is told of the error that is being handled, which nobody foresaw; its text goes to the log."""
    reference = secrets.token_hex(4)
    logger.exception("internal error %s in tool %s", reference, tool)
    return ToolError(
        f"homelab-mcp met an error it does not know (reference {reference}); nothing was changed by this call. "
        "The server's log (stderr) has the details. [internal_error]"
    )


def own_words(error: ToolError, tool: str) -> ToolError:
    """What a tool said when it failed, without what the SDK puts before it (`Error executing tool NAME:`).

    To be called while the error is handled: a crash's text goes to the log, and never to the client.
    """
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        return misfit(cause)
    if isinstance(error, UnexpectedToolError):
        return unforeseen(tool)
    return cause if isinstance(cause, ToolError) else error


def told(error: HomelabError) -> str:
    """An error as a model reads it: with a way out, on a bounded length, and with nothing invisible in it."""
    message = clean(error.message.rstrip())
    hint = clean(error.hint) or "Correct the call, or ask the person."
    room = ERROR_LIMIT - len(error.code)
    if len(message) + len(hint) > room:
        message, hint = _cut(message, room * 2 // 3), _cut(hint, room // 3 - 4)
    return f"{message} {hint} [{error.code}]"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def misfit(error: ValidationError) -> ToolError:
    """Arguments that do not fit the tool's schema, a sentence each; what was given is not repeated."""
    # A key that was given may be among the places.
    wrong = _cut(" ".join(clean(misfits(error, whole="arguments")).split()), ERROR_LIMIT - 100)
    return ToolError(f"These arguments do not fit: {wrong}. Correct them and call again. [invalid_arguments]")


_ADDED_BY_CLIENTS = frozenset({"toolCallId", "sessionId", "chatInput"})


def misnamed(tool: str, given: Collection[str], known: Collection[str]) -> ToolError | None:
    """Arguments that the tool does not have, so that none is passed over in silence; None where there are none.

    What they were meant to narrow, a plan made without them would do all the same. What n8n's MCP Client Tool adds to
    every call by itself narrows nothing, and no model can leave it out (n8n-io/n8n issues 21500 and 22787).
    """
    unknown = sorted(set(given) - set(known) - _ADDED_BY_CLIENTS)
    if not unknown:
        return None
    told = ", ".join(repr(_cut(clean(name), 40)) for name in unknown[:5])
    near = difflib.get_close_matches(unknown[0], known, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    takes = f"It takes: {', '.join(known)}." if known else "It takes none."
    return ToolError(f"{tool} has no argument {told}. {meant}{takes} [invalid_arguments]")


def no_such_tool(name: str, offered: Collection[str]) -> ToolError:
    """A call of a tool that is not offered: says where it is to be had, or names what may have been meant."""
    place = next((sets for sets, members in TOOLSETS.items() if name in members), "")
    reads_only = "apply_plan" not in offered
    if place and reads_only and SCOPES[name] is not Scope.READ:
        why, code = f"This server only reads: {name} is not offered.", "read_only"
        way = "A person may start one without --read-only, or take read_only out of policy.yaml."
    elif place:
        why, code = f"{name} is of the toolset {place}, which this server does not offer.", "tool_not_offered"
        way = f"A person may start it with `serve {'--read-only ' if reads_only else ''}--toolsets all`."
    else:
        near = difflib.get_close_matches(name, offered, n=1)
        why, code = f"There is no tool {_cut(clean(name), 80)!r} here.", "tool_unknown"
        way = f"Did you mean {near[0]}?" if near else "Call one of those that tools/list names."
    return ToolError(f"{why} {way} [{code}]")


async def in_thread(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run blocking work off the event loop; a cancelled call leaves it to end by itself."""
    return await anyio.to_thread.run_sync(functools.partial(fn, *args, **kwargs), abandon_on_cancel=True)


def requester(ctx: Context[Any]) -> Requester:
    """Who asks: the client's name and version as it gave them, cut to a short printable line, and its token's name."""
    params = ctx.session.client_params
    info = params.client_info if params else None

    def tame(value: str) -> str:
        return "".join(c for c in value if c.isprintable())[:60]

    token = token_of(ctx)
    return Requester(
        via="mcp",
        client=tame(info.name) if info else "",
        version=tame(info.version) if info else "",
        token=token.name if token else "",
    )


def can_ask(ctx: Context[Any]) -> bool:
    """Whether the client says it can put a form before a person (MCP elicitation, form mode)."""
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.elicitation is None:
        return False
    elicitation = capabilities.elicitation
    # An empty capability object means form mode (2025-11-25, elicitation capabilities).
    return elicitation.form is not None or elicitation.url is None


def can_open(ctx: Context[Any]) -> bool:
    """Whether the client says it can have a person open a page (MCP elicitation, URL mode)."""
    capabilities = ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    return elicitation is not None and elicitation.url is not None
