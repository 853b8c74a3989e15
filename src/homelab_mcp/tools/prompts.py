"""MCP prompts: what a person picks from their client's menu."""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import PromptArgument

from homelab_mcp.ports import Lab, PromptText


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add every prompt of the lab to the server."""
    for prompt in lab.prompts:
        server.add_prompt(
            Prompt(
                name=prompt.name,
                title=prompt.title,
                description=prompt.description,
                arguments=[PromptArgument(name=name, required=True) for name in prompt.arguments],
                fn=_renderer(prompt),
                context_kwarg=None,
            )
        )


def _renderer(prompt: PromptText) -> Any:
    def render(**values: str) -> str:
        text = prompt.text
        for name in prompt.arguments:
            # Plain replacement: what a person typed must not be read as a template.
            text = text.replace("{" + name + "}", values.get(name, "").strip()[:200])
        return text

    return render
