"""Secrets that only a person has: the client is asked to open the approval page's form for them (URL elicitation).

What is typed there becomes a plan like any other; neither the client nor a model sees it. A client that cannot open a
page, or a server that knows of none, tells the error alone, which names the other ways.

2025-11-25: error -32042 (``URLElicitationRequiredError``); the client calls again once it is done. 2026-07-28: an
input-required result; the client calls again as soon as the person has agreed to go there, so that call waits a while
for what they type. Source: modelcontextprotocol, 2025-11-25 ``client/elicitation.mdx`` and 2026-07-28
``basic/patterns/mrtr.mdx``.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp_types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult
from mcp_types.version import is_version_at_least

from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.redact import clean
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.ports import Lab
from homelab_mcp.tools.shape import can_open, in_thread, told

KEY = "secret"
"""Names the question among a result's input requests."""

WAIT_SECONDS = 45.0
"""How long one call waits for the person: below the 60 s after which common clients give up."""

POLL_SECONDS = 0.5

MOST_NAMES = 8
"""Variables in one form, as many as the page's has fields for (``web.values``)."""

_INPUT_REQUIRED = "2026-07-28"
R = TypeVar("R")


class PersonPage:
    """Sends the person to a form of the approval page.

    Args:
        lab: where what they type ends up.
        address: of the approval page, ending in ``/``.
    """

    def __init__(self, lab: Lab, address: str) -> None:
        self._lab = lab
        self._address = address

    async def call(self, run: Callable[[], Awaitable[R]], ctx: Context[Any]) -> R | InputRequiredResult:
        """What ``run`` returns; where it fails for want of a secret, the client is asked to open the form.

        Asked once in a call: who declined, or did not get to it in time, lets the client hear the error. So does a lab
        that has no approver yet, as nobody could log in there.

        Raises:
            UrlElicitationRequiredError: to a client of 2025-11-25.
            ToolError: what ``run`` failed with.
        """
        try:
            return await run()
        except ToolError as error:
            cause = _ours(error)
            stack, names = _wanted(cause)
            if cause is None or not names or not can_open(ctx) or not await in_thread(self._lab.approver.exists):
                raise
            question = self._question(cause, stack, names)
            if not is_version_at_least(ctx.protocol_version or "", _INPUT_REQUIRED):
                question.elicitation_id = secrets.token_hex(16)
                raise UrlElicitationRequiredError([question], told(cause)) from error
            answer = (ctx.input_responses or {}).get(KEY)
            if answer is None:
                return InputRequiredResult(input_requests={KEY: ElicitRequest(params=question)})
            agreed = isinstance(answer, ElicitResult) and answer.action == "accept"
            if not (agreed and await self._came(stack, names)):
                raise
        return await run()

    def _question(self, error: HomelabError, stack: str, names: list[str]) -> ElicitRequestURLParams:
        place = urlencode([("stack", stack), *(("name", name) for name in names)])
        what = f"{', '.join(names)} of stack {stack}"
        return ElicitRequestURLParams(
            message=f"{clean(error.message)} Type {what} on your homelab's approval page, and approve the plan that "
            "comes of it there; no AI sees it.",
            url=f"{self._address}set?{place}",
        )

    async def _came(self, stack: str, names: list[str]) -> bool:
        """Wait until each has a value and nothing is being applied any more; whether that came about in time."""

        def there() -> bool:
            try:
                values = parse_or_empty(self._lab.files.read(f"{stack}/.env") or "")
                return all(values.get(name) for name in names) and not self._lab.lock.holder()
            except (HomelabError, OSError):
                return False  # not there yet, for all that can be told

        with anyio.move_on_after(WAIT_SECONDS):
            while not await in_thread(there):
                await anyio.sleep(POLL_SECONDS)
            return True
        return False


def _ours(error: BaseException | None) -> HomelabError | None:
    """The error of ours that a tool's failure comes of."""
    while error is not None and not isinstance(error, HomelabError):
        error = error.__cause__
    return error


def _wanted(error: HomelabError | None) -> tuple[str, list[str]]:
    """Stack and names of the secrets that a person must type first (``model.errors.asks``); none: no names."""
    asked = error.details.get("asks") if error is not None else None
    if not isinstance(asked, Mapping):
        return "", []
    return str(asked["stack"]), [str(name) for name in asked["names"]][:MOST_NAMES]
