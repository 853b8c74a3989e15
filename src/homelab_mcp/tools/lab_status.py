"""Tool ``lab_status``."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field

from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import fitting, next_offset
from homelab_mcp.tools.shape import guarded, in_thread, result


class ServiceLine(BaseModel):
    """One service; ``state`` is Docker's word, missing (declared, no container), or empty without an engine."""

    stack: str
    service: str
    state: str
    health: str | None = None
    restarts: int | None = None
    up: str | None = None
    url: str | None = None
    image: str | None = None
    image_age: str | None = None
    note: str | None = None
    drift: str | None = None
    host: str | None = None


class StatusOutput(BaseModel):
    """The lab's services; ``engine_error`` when Docker did not answer and only the files were read.

    ``silent_hosts`` are those of several Docker hosts that did not answer, and why.
    """

    services: list[ServiceLine]
    total: int
    counts: dict[str, int]
    engine_error: str | None = None
    silent_hosts: dict[str, str] | None = None
    next_cursor: str | None = None


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def lab_status(
        stack: Annotated[str, Field(description="Only this stack.", max_length=80)] = "",
        limit: Annotated[int, Field(ge=1, le=200)] = 50,
        cursor: Annotated[str, Field(description="next_cursor of the page before.", max_length=200)] = "",
        drift: Annotated[bool, Field(description="Compare with the files too; done anyway for one stack.")] = False,
    ) -> Annotated[CallToolResult, StatusOutput]:
        from homelab_mcp.queries.lab_status import status_of

        found = await in_thread(status_of, lab, stack, limit, cursor, drift=drift)

        def page(count: int) -> StatusOutput:
            more = next_offset(int(cursor or 0), count, found["total"])
            return StatusOutput(
                **{**found, "services": found["services"][:count], "next_cursor": None if more is None else str(more)}
            )

        return result(fitting(page, len(found["services"])))

    server.add_tool(
        lab_status,
        name="lab_status",
        title="Status of the lab",
        description="Every stack's services: state, health, restarts, uptime, URL, image. Start here for 'what runs' "
        "or 'is X down'; read_logs tells why.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
