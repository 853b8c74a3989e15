"""``homelab-mcp logs``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def logs(
        ctx: typer.Context,
        services: Annotated[list[str] | None, typer.Argument(help="Compose service names.")] = None,
        stack: Annotated[str, typer.Option(help="A whole stack, or to tell equal names apart.")] = "",
        tail: Annotated[int, typer.Option(min=1, max=1000, help="Last lines of each service.")] = 100,
        since: Annotated[str, typer.Option(help="Such as 10m, 2h, or an ISO time.")] = "",
        until: Annotated[str, typer.Option(help="Such as 5m, or an ISO time.")] = "",
        grep: Annotated[str, typer.Option(help="Only lines that match this regular expression.")] = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Logs of services or a stack, merged by time, secrets masked."""
        from homelab_mcp.queries.read_logs import logs_of

        page = logs_of(
            lab_of(ctx),
            services or [],
            stack,
            tail=tail,
            since=since,
            until=until,
            grep=grep,
            cursor="",
            max_bytes=10**6,
        )

        def show() -> None:
            for line in page["lines"]:
                console().print(line, markup=False)

        emit(page, as_json, show)
