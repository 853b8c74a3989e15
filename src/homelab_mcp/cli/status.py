"""``homelab-mcp status``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def status(
        ctx: typer.Context,
        stack: Annotated[str, typer.Argument(help="Only this stack.")] = "",
        limit: Annotated[int, typer.Option(min=1, max=1000)] = 200,
        drift: Annotated[bool, typer.Option("--drift", help="Compare containers with their files too.")] = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Every stack's services: state, health, restarts, uptime, URL."""
        from homelab_mcp.queries.lab_status import status_of

        found = status_of(lab_of(ctx), stack, limit, "", drift=drift)

        def show() -> None:
            from rich.table import Table

            table = Table(box=None, pad_edge=False)
            titles: tuple[str, ...] = ("stack", "service", "state", "health", "restarts", "up", "image_age", "drift")
            elsewhere = any(row.get("host") for row in found["services"])
            titles = (*titles, *(("host",) if elsewhere else ()), "url")
            for title in titles:
                table.add_column(title.replace("_", " "), overflow="fold", no_wrap=title != "url")
            for row in found["services"]:
                table.add_row(*(str(row.get(k) or "") for k in titles))
            console().print(table if found["services"] else "No stacks yet. Next: homelab-mcp add traefik")
            for why in found.get("silent_hosts", {}).values():
                console(error=True).print(why, style="yellow", markup=False)
            if found.get("engine_error"):
                console(error=True).print(f"Only the files were read: {found['engine_error']}", style="yellow")

        emit(found, as_json, show)
