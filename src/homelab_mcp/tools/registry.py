"""The list of tools, in the order in which clients see them."""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer

from homelab_mcp.ports import Lab
from homelab_mcp.tools import (
    add_service,
    lab_status,
    plans,
    prompts,
    read_logs,
    remove_service,
    search_catalog,
    set_env,
    validate_compose,
)

CORE = (
    search_catalog,
    lab_status,
    read_logs,
    validate_compose,
    add_service,
    remove_service,
    set_env,
    plans,
)


def register_all(server: MCPServer[Any], lab: Lab) -> None:
    """Add every tool and prompt to the server."""
    for module in CORE:
        module.register(server, lab)
    prompts.register(server, lab)
    for tool in server._tool_manager.list_tools():
        # pydantic repeats each field's name as its title: a fifth of the list, read by nobody.
        _drop_titles(tool.parameters)
        if tool.fn_metadata.output_schema is not None:
            _drop_titles(tool.fn_metadata.output_schema)


def _drop_titles(schema: dict[str, Any]) -> None:
    if isinstance(schema.get("title"), str):
        del schema["title"]
    for value in schema.values():
        if isinstance(value, dict):
            _drop_titles(value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    _drop_titles(item)
