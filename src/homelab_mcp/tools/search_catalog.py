"""Tool ``search_catalog``."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, Field

from homelab_mcp.core.catalog_search import needs
from homelab_mcp.ports import Lab
from homelab_mcp.tools.bounded import fitting, next_offset
from homelab_mcp.tools.shape import guarded, in_thread, result

PAGE_LIMIT = 12_000
"""Characters of a page, so that with its quotes escaped it stays below what a result may have."""


class CatalogEntry(BaseModel):
    """One match."""

    id: str
    name: str
    summary: str
    category: str
    stack: str
    needs: str
    untrusted: str | None = Field(default=None, description="Another's catalog that it is from.")


class SearchOutput(BaseModel):
    """Matches, best first; ``next_offset`` when there are more. ``page``: the documentation that was asked for."""

    matches: list[CatalogEntry]
    total: int
    next_offset: int | None = None
    page: str | None = None


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add the tool to the server."""

    @guarded
    async def search_catalog(
        query: Annotated[
            str,
            Field(
                description="Name, purpose, what it replaces, needs (no database, ARM, under 256 MB); empty: all.",
                max_length=100,
            ),
        ] = "",
        category: Annotated[str, Field(description="Only this category, e.g. media.", max_length=40)] = "",
        limit: Annotated[int, Field(ge=1, le=50)] = 10,
        offset: Annotated[int, Field(ge=0)] = 0,
        docs_of: Annotated[
            str, Field(description="A service's id or name: its documentation page instead of a search.", max_length=80)
        ] = "",
    ) -> Annotated[CallToolResult, SearchOutput]:
        if docs_of:
            from homelab_mcp.queries.pages import service_documentation

            text: str = await in_thread(service_documentation, lab, docs_of)
            return result(SearchOutput(matches=[], total=0, page=text[:PAGE_LIMIT]))
        from homelab_mcp.queries.machine import room_of

        found = await in_thread(lambda: lab.catalog.search(query, category or None, limit, offset, **room_of(lab)))
        entries = [
            CatalogEntry(
                id=d.id,
                name=d.name,
                summary=d.summary,
                category=d.category,
                stack=d.stack,
                needs=needs(d),
                untrusted=lab.catalog.catalog_of(d.id) or None,
            )
            for d in found.matches
        ]

        def page(count: int) -> SearchOutput:
            more = next_offset(offset, count, found.total)
            return SearchOutput(matches=entries[:count], total=found.total, next_offset=more)

        return result(fitting(page, len(entries)))

    server.add_tool(
        search_catalog,
        name="search_catalog",
        title="Search the service catalog",
        description="Find services that add_service can add, or read one's documentation (docs_of). Use before "
        "add_service when unsure of the name.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
