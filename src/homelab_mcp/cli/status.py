"""``homelab-mcp status``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import HostOption, JsonFlag, console, emit, lab_of, seen
from homelab_mcp.cli.tables import fits, print_table, table_of

ALWAYS = ("stack", "service", "state", "health")
TITLES = (*ALWAYS, "restarts", "up", "image_age", "drift", "host", "url")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def status(
        ctx: typer.Context,
        stack: Annotated[str, typer.Argument(help="Only this stack.")] = "",
        limit: Annotated[int, typer.Option(min=1, max=1000)] = 200,
        drift: Annotated[bool, typer.Option("--drift", help="Compare containers with their files too.")] = False,
        host: HostOption = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Every stack's services: state, health, restarts, uptime, URL."""
        from homelab_mcp.queries.lab_status import status_of

        lab, named = seen(lab_of(ctx), host, stack=stack)
        found = status_of(lab, named["stack"], limit, "", drift=drift)

        def show() -> None:
            out = console()
            rows = found["services"]
            titles = [t for t in TITLES if t in ALWAYS or any(row.get(t) for row in rows)]
            if not rows:
                out.print("No stacks yet. Next: homelab-mcp add traefik")
            elif fits(out, table_of(rows, titles)):
                print_table(out, table_of(rows, titles))
            else:
                # Whole and on lines of their own, addresses can still be clicked on in a narrow window.
                print_table(out, table_of(rows, [t for t in titles if t != "url"]))
                for row in rows:
                    if row.get("url"):
                        out.print(f"{row['stack']}/{row['service']}: {row['url']}", markup=False)
            for why in found.get("silent_hosts", {}).values():
                console(error=True).print(why, style="yellow", markup=False)
            if found.get("engine_error"):
                console(error=True).print(f"Only the files were read: {found['engine_error']}", style="yellow")

        emit(found, as_json, show)
