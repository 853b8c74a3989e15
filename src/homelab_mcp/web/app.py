"""The page as a Starlette application, and a server for it alone."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from homelab_mcp.http.settings import HttpSettings
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.ports import Lab
from homelab_mcp.web.guard import Guard
from homelab_mcp.web.look import BASE
from homelab_mcp.web.pages import Pages
from homelab_mcp.web.site import Site, site


def routes(lab: Lab, where: Site) -> Starlette:
    """The approval page of one lab, to be mounted at ``/approvals``; it lets in what ``where`` says, and no more."""
    pages = Pages(lab, where)
    guard: Any = Guard
    return Starlette(
        routes=pages.routes(),
        middleware=[Middleware(guard, site=where, refuse=pages.look.problem)],
        exception_handlers={404: pages.lost, 405: pages.lost},
    )


def mounted(lab: Lab, where: Site) -> list[Any]:
    """The page as routes for another Starlette application."""

    async def home(_: Request) -> RedirectResponse:
        return RedirectResponse(f"{BASE}/", 303)

    return [Route(BASE, home), Mount(BASE, app=routes(lab, where), name="approvals")]


def approval_page(lab: Lab, settings: HttpSettings) -> list[tuple[str, ASGIApp]]:
    """The page beside MCP over HTTP; none where the PIN would travel in the clear, and a warning then.

    HOMELAB_APPROVALS_URL is the https address that browsers use, where a proxy in front ends TLS; its name must be
    among the allowed hosts too. HOMELAB_APPROVALS_PROXY says whose word on browsers counts.

    Raises:
        InvalidInput: bad_url, bad_proxy.
    """
    own = f"https://{settings.authority}" if settings.tls_cert else ""
    url = os.environ.get("HOMELAB_APPROVALS_URL", "") or own
    proxies = os.environ.get("HOMELAB_APPROVALS_PROXY", "").split(",")
    try:
        where = site(settings.host, settings.port, url=url, proxies=proxies, remote=True)
    except InvalidInput as error:
        if error.code != "tls_required":
            raise
        logging.getLogger("homelab_mcp").warning(
            "no approval page at %s: without TLS the PIN would travel in the clear; set HOMELAB_APPROVALS_URL", BASE
        )
        return []
    return [(BASE, routes(lab, where))]


def serve(lab: Lab, where: Site, host: str, port: int, url: str = "") -> None:
    """Serve the page, and nothing else, until the process is ended."""
    import uvicorn

    async def home(_: Request) -> RedirectResponse:
        return RedirectResponse(f"{BASE}/", 303)

    outer = Starlette(routes=[*mounted(lab, where), Route("/", home)])
    name = f"[{host}]" if ":" in host else host
    print(f"homelab-mcp approvals: {url.rstrip('/') or f'http://{name}:{port}'}{BASE}/", file=sys.stderr)  # noqa: T201
    uvicorn.run(
        outer,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Who is behind a proxy is for the page itself to judge.
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
