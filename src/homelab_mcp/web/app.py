"""The page as a Starlette application, and a server for it alone."""

from __future__ import annotations

import sys
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from homelab_mcp.ports import Lab
from homelab_mcp.web.guard import Guard
from homelab_mcp.web.look import BASE
from homelab_mcp.web.pages import Pages
from homelab_mcp.web.site import Site


def routes(lab: Lab, site: Site) -> Starlette:
    """The approval page of one lab, to be mounted at ``/approvals``; it lets in what the site says, and no more."""
    pages = Pages(lab, site)
    guard: Any = Guard
    return Starlette(
        routes=pages.routes(),
        middleware=[Middleware(guard, site=site, refuse=pages.look.problem)],
        exception_handlers={404: pages.lost, 405: pages.lost},
    )


def mounted(lab: Lab, site: Site) -> Mount:
    """The page as a route for another Starlette application."""
    return Mount(BASE, app=routes(lab, site), name="approvals")


def serve(lab: Lab, site: Site, host: str, port: int, url: str = "") -> None:
    """Serve the page, and nothing else, until the process is ended."""
    import uvicorn

    async def home(_: Any) -> RedirectResponse:
        return RedirectResponse(f"{BASE}/", 303)

    outer = Starlette(routes=[mounted(lab, site), Route("/", home), Route(BASE, home)])
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
