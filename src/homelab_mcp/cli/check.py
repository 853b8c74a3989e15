"""``homelab-mcp check``, for cron and systemd timers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from homelab_mcp.cli.common import FAILED, OK, HostOption, JsonFlag, console, emit, lab_of, seen

URLS = "HOMELAB_NOTIFY_URLS"
APPRISE_HELP = f"When something is not well, tell the addresses of Apprise that {URLS} names."
FILE_HELP = "The same, with the addresses in a file, one a line."
NOTIFY_HELP = "Program to run when something is not well; it gets the lines on its standard input."


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def check(
        ctx: typer.Context,
        cert_days: Annotated[int, typer.Option(min=0, max=365, help="Tell of certificates with fewer days left.")] = 14,
        skip: Annotated[list[str] | None, typer.Option(help="Leave an area out; may be repeated.")] = None,
        updates: Annotated[bool, typer.Option("--updates", help="Also ask registries for newer images.")] = False,
        notes: Annotated[bool, typer.Option(help="With --updates, ask release notes for security.")] = True,
        host: HostOption = "",
        notify_command: Annotated[str, typer.Option(help=NOTIFY_HELP)] = "",
        notify: Annotated[bool, typer.Option("--notify", help=APPRISE_HELP)] = False,
        notify_file: Annotated[str, typer.Option(help=FILE_HELP)] = "",
        verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what was looked at, too.")] = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Is all well? Silent and 0 when it is, else a line for each trouble and 1.

        Areas: services, routes, certificates, backups, host, drift; with --updates also updates.
        """
        from rich.text import Text

        from homelab_mcp.queries.check_lab import check_lab

        lab, _ = seen(lab_of(ctx), host)
        found = check_lab(lab, cert_days=cert_days, skip=skip or (), also=("updates",) if updates else (), notes=notes)

        def show() -> None:
            for trouble in found.troubles:
                console().print(Text(trouble.as_line()))
            if verbose:
                seen = ", ".join(f"{count} {area}" for area, count in found.looked_at.items())
                console().print(Text(f"Looked at: {seen or 'nothing'}.", style="dim"))
                for said in found.unseen:
                    console().print(Text(said, style="dim"))

        emit(found.as_dict(), as_json, show)
        lines = lab.redactor.redact("\n".join(t.as_line() for t in found.troubles))
        if notify_command and not found.ok:
            from homelab_mcp.bootstrap import tell

            tell(notify_command, lines + "\n")
        if (notify or notify_file) and not found.ok:
            from homelab_mcp.bootstrap import send_notice

            send_notice(_addresses(notify_file), _title(found.troubles), lines)
        raise typer.Exit(OK if found.ok else FAILED)


def _title(troubles: Sequence[object]) -> str:
    return f"Homelab: {len(troubles)} trouble{'s' if len(troubles) != 1 else ''}"


def _addresses(file: str) -> str:
    """Whom to tell, never from an argument: those are in process lists, shells' histories and units' logs."""
    from homelab_mcp.model.errors import InvalidInput

    try:
        return Path(file).expanduser().read_text(encoding="utf-8") if file else os.environ.get(URLS, "")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInput(
            f"{file} cannot be read: {said}.",
            hint="Give the path of a file with addresses, one a line.",
            code="notify_address",
        ) from None
