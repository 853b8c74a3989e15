"""MCP resources: what a client can attach to a conversation without calling a tool."""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer

from homelab_mcp.ports import Lab
from homelab_mcp.tools.shape import in_thread


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``homelab://inventory``: the lab's page, made when it is read."""

    @server.resource(
        "homelab://inventory",
        name="inventory",
        title="What runs in the lab",
        description="Services, addresses, who may pass, ports, data, what needs what, and a diagram; as Markdown.",
        mime_type="text/markdown",
    )
    async def inventory() -> str:
        from homelab_mcp.workflow.inventory import Inventory

        text: str = await in_thread(Inventory(lab).made)
        return text
