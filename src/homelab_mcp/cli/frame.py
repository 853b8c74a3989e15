"""What is around every command: global options, and the edge where errors become messages."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from homelab_mcp.cli.common import COULD_NOT_RUN, DEFAULT_ROOT, FAILED, Globals
from homelab_mcp.model.errors import EngineUnavailable, HomelabError, storage_failed


def new_app() -> typer.Typer:
    """An application with the global options and no command yet."""
    app = typer.Typer(
        name="homelab-mcp",
        help="Runs a Docker Compose homelab safely: every change is a plan that a person approves.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 done; 1 refused, failed or error findings; 2 usage or could not run; "
        "3 a plan waits for approval; 4 applied, found bad and rolled back.",
    )
    app.callback()(_options)
    return app


def run_app(app: typer.Typer) -> None:
    """Run it on the process's arguments; errors end with one message on stderr and an exit code."""
    try:
        app()
    except HomelabError as error:
        raise SystemExit(_told(error)) from None
    except BrokenPipeError:
        # The reader (head, less) went away; the interpreter's own flush at exit must not complain again.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        raise SystemExit(0) from None
    except OSError as error:
        raise SystemExit(_told(storage_failed(error, "A file of the lab"))) from None


def _told(error: HomelabError) -> int:
    """Print the error as the caller wants it; the exit code for it."""
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps(error.as_dict(), ensure_ascii=False) + "\n")
    else:
        hint = f"\n{error.hint}" if error.hint else ""
        typer.echo(f"Error: {error.message}{hint}", err=True)
    return COULD_NOT_RUN if isinstance(error, EngineUnavailable) else FAILED


def _version(value: bool) -> None:
    if value:
        from homelab_mcp import __version__

        typer.echo(f"homelab-mcp {__version__}")
        raise typer.Exit


def _options(
    ctx: typer.Context,
    root: Annotated[str, typer.Option("--root", envvar="HOMELAB_ROOT", help="The lab's folder.")] = DEFAULT_ROOT,
    files_only: Annotated[
        bool,
        typer.Option("--files-only", envvar="HOMELAB_FILES_ONLY", help="Write files and git only; never touch Docker."),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    ctx.obj = Globals(root=root, files_only=files_only)
