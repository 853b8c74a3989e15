"""``python -m tests.e2e.conformance_server serve ...``: ``homelab-mcp serve`` with the conformance suite's fixtures.

It is the shipping server in all else: its class, middleware, transport, checks of names and tokens. For tests alone.
"""

from __future__ import annotations

from typing import Any

from homelab_mcp import server
from homelab_mcp.cli.main import run
from tests.e2e.conformance_fixtures import add_fixtures

_build = server.build


def build(*arguments: Any, **named: Any) -> server.HomelabServer:
    """The server for one lab, and the fixtures."""
    built = _build(*arguments, **named)
    add_fixtures(built)
    return built


if __name__ == "__main__":
    server.build = build
    run()
