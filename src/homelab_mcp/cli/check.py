"""``homelab-mcp check``, for cron and systemd timers."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import FAILED, OK, JsonFlag, console, emit, lab_of

NOTIFY_HELP = "Program to run when something is not well; it gets the lines on its standard input."


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def check(
        ctx: typer.Context,
        cert_days: Annotated[int, typer.Option(min=0, max=365, help="Tell of certificates with fewer days left.")] = 14,
        skip: Annotated[list[str] | None, typer.Option(help="Leave an area out; may be repeated.")] = None,
        updates: Annotated[bool, typer.Option("--updates", help="Also ask registries for newer images.")] = False,
        notify_command: Annotated[str, typer.Option(help=NOTIFY_HELP)] = "",
        verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what was looked at, too.")] = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Is all well? Silent and 0 when it is, else a line for each trouble and 1.

        Areas: services, routes, certificates, backups, host, drift; with --updates also updates.
        """
        from rich.text import Text

        from homelab_mcp.queries.check_lab import check_lab

        lab = lab_of(ctx)
        found = check_lab(lab, cert_days=cert_days, skip=skip or (), also=("updates",) if updates else ())

        def show() -> None:
            for trouble in found.troubles:
                console().print(Text(trouble.as_line()))
            if verbose:
                seen = ", ".join(f"{count} {area}" for area, count in found.looked_at.items())
                console().print(Text(f"Looked at: {seen or 'nothing'}.", style="dim"))
                for said in found.unseen:
                    console().print(Text(said, style="dim"))

        emit(found.as_dict(), as_json, show)
        if notify_command and not found.ok:
            from homelab_mcp.bootstrap import tell

            lines = "\n".join(t.as_line() for t in found.troubles)
            tell(notify_command, lab.redactor.redact(lines) + "\n")
        raise typer.Exit(OK if found.ok else FAILED)
