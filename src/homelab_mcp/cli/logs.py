"""``homelab-mcp logs``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from homelab_mcp.cli.common import HostOption, JsonFlag, console, emit, lab_of, seen

if TYPE_CHECKING:
    from homelab_mcp.ports import Lab
    from homelab_mcp.queries.read_logs import LogQuestion

A_YEAR = 365 * 86_400.0


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def logs(
        ctx: typer.Context,
        services: Annotated[list[str] | None, typer.Argument(help="Compose service names; none: all.")] = None,
        stack: Annotated[str, typer.Option(help="A whole stack, or to tell equal names apart.")] = "",
        tail: Annotated[int, typer.Option(min=1, max=1000, help="Last lines of each service.")] = 100,
        since: Annotated[str, typer.Option(help="Such as 10m, 2h, or an ISO time.")] = "",
        until: Annotated[str, typer.Option(help="Such as 5m, or an ISO time.")] = "",
        grep: Annotated[str, typer.Option(help="Only lines that match this regular expression.")] = "",
        level: Annotated[str, typer.Option(help="That grave or graver: debug, info, warn, error, fatal.")] = "",
        context: Annotated[int, typer.Option("--context", "-C", min=0, max=20, help="Lines around each match.")] = 0,
        files: Annotated[bool, typer.Option("--files", help="Log files too (Traefik's access log).")] = False,
        cursor: Annotated[str, typer.Option(help="next_cursor of the page before, for older lines.")] = "",
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
        host: HostOption = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Logs of services, a stack or the whole lab, merged by time, secrets masked."""
        from homelab_mcp.queries.read_logs import LogQuestion, page_of

        lab, named = seen(lab_of(ctx), host, stack=stack, services=services or [])
        asked = LogQuestion(
            named["services"],
            named["stack"],
            tail,
            since,
            until,
            grep,
            level,
            context,
            files,
            cursor,
            max_bytes=10**6,
            scan_seconds=600.0,
        )
        page = page_of(lab, asked).as_dict()

        def show() -> None:
            for line in page["lines"]:
                console().print(line, markup=False)
            for note in page.get("notes", ()):
                console(error=True).print(note, style="yellow", markup=False)
            if page.get("next_cursor") and not follow:
                console(error=True).print(f"Older lines: --cursor {page['next_cursor']}", style="dim", markup=False)

        emit(page, as_json and not follow, show)
        if follow:
            _follow(lab, asked, as_json=as_json)


def _follow(lab: Lab, asked: LogQuestion, *, as_json: bool) -> None:
    from homelab_mcp.queries.follow_logs import follow

    try:
        for found in follow(lab, asked, A_YEAR):
            for line in found:
                if as_json:
                    sys.stdout.write(json.dumps({"line": line}, ensure_ascii=False) + "\n")
                else:
                    console().print(line, markup=False)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return
