"""What stands before every page: Host, Origin and method; and the headers behind every page."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.web.site import Site

FORM_BYTES = 16 * 1024
SECRETS_FORM_BYTES = 128 * 1024
"""Of the form for secrets: eight of 4096 characters, of which many are three bytes as sent."""
FORM_FIELDS = 20

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers would then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
REFUSALS = {
    400: ("This request is not one", "Open the page's address afresh."),
    403: ("This came from another site", "Open the approval page itself and answer there. Nothing was recorded."),
    405: ("That is not how this page is used", "Use the page's own links and buttons."),
    421: ("The page is not served under this name", "Use the address that homelab-mcp printed when it started."),
}


class Guard:
    """ASGI middleware; ``refuse`` makes the page for a refusal (status, title, what to do)."""

    def __init__(self, app: ASGIApp, site: Site, refuse: Callable[[int, str, str], Response]) -> None:
        self._app = app
        self._site = site
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that may be one of ours."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        status = self._judge(str(scope["method"]), Headers(scope=scope))
        if status:
            await self._refuse(status, *REFUSALS[status])(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _judge(self, method: str, headers: Headers) -> int:
        """The status to refuse with, or 0. A name that an attacker's DNS points at us is in no Host of ours."""
        names = headers.getlist("host")
        if len(names) != 1 or names[0].lower() not in self._site.hosts:
            return 421
        origins = headers.getlist("origin")
        if any(o.lower() not in self._site.origins for o in origins) or len(origins) > 1:
            return 403
        if method in {"GET", "HEAD"}:
            return 0
        if method != "POST":
            return 405
        # Every browser names the origin of a form; what names none is no page of ours.
        return 0 if origins and headers.get("sec-fetch-site", "same-origin") == "same-origin" else 403


async def read_form(request: Request, most: int = FORM_BYTES) -> dict[str, str]:
    """The fields of a form, urlencoded, of at most ``most`` bytes. Raises InvalidInput: form_too_long, bad_form."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise InvalidInput(
                "The form is too long.", code="form_too_long", hint="Shorten what you typed, then try again."
            )
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if body and kind != "application/x-www-form-urlencoded":
            raise ValueError(kind)
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_FIELDS, encoding="utf-8", errors="strict"
        )
    except ValueError:
        raise InvalidInput(
            "The form is not readable.", code="bad_form", hint="Go back to the page and try again."
        ) from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidInput("A field came twice.", code="bad_form", hint="Go back to the page and try again.")
    return dict(pairs)
