"""``homelab-mcp search``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def search(
        ctx: typer.Context,
        query: Annotated[
            str, typer.Argument(help='Name, purpose, what it replaces, or needs such as "no database"; none: all.')
        ] = "",
        category: Annotated[str, typer.Option(help="Only this category.")] = "",
        limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
        as_json: JsonFlag = False,
    ) -> None:
        """Search the service catalog."""
        from homelab_mcp.core.catalog_search import needs

        found = lab_of(ctx).catalog.search(query, category or None, limit, 0)
        rows = [
            {
                "id": d.id,
                "name": d.name,
                "category": d.category,
                "stack": d.stack,
                "summary": d.summary,
                "needs": needs(d),
            }
            for d in found.matches
        ]

        def show() -> None:
            for row in rows:
                console().print(f"{row['id']:<18} {row['category']:<16} {row['summary']}")
            if not rows:
                console().print("Nothing matches. `homelab-mcp search` lists everything.")

        emit({"matches": rows, "total": found.total}, as_json, show)
