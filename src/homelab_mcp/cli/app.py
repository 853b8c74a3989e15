"""The typer application: global options, the commands, and the edge where errors become messages."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from homelab_mcp.cli import (
    access,
    add,
    agent_test,
    apply,
    approve,
    approver,
    audit,
    backup,
    catalog,
    certs,
    change,
    check,
    connect,
    diagnose,
    doctor,
    drill,
    env,
    external,
    git,
    history,
    homepage,
    host,
    init,
    inventory,
    lazy,
    logs,
    man_page,
    monitoring,
    remove,
    review,
    search,
    seeing,
    serve,
    status,
    survives,
    swarm,
    token,
    trial,
    updates,
    user,
    vpn,
)
from homelab_mcp.cli import any_service as any_service_command
from homelab_mcp.cli import api as api_command
from homelab_mcp.cli import approvals as approvals_command
from homelab_mcp.cli import plan as plan_command
from homelab_mcp.cli import policy as policy_command
from homelab_mcp.cli import rules as rules_command
from homelab_mcp.cli import validate as validate_command
from homelab_mcp.cli import vault as vault_command
from homelab_mcp.cli.common import COULD_NOT_RUN, DEFAULT_ROOT, FAILED, Globals
from homelab_mcp.model.errors import EngineUnavailable, HomelabError, storage_failed

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


def _version(value: bool) -> None:
    if value:
        from homelab_mcp import __version__

        typer.echo(f"homelab-mcp {__version__}")
        raise typer.Exit


@app.callback()
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


for module in (
    init,
    search,
    catalog,
    add,
    any_service_command,
    remove,
    change,
    validate_command,
    rules_command,
    status,
    logs,
    diagnose,
    seeing,
    host,
    env,
    certs,
    user,
    access,
    homepage,
    lazy,
    external,
    git,
    vpn,
    plan_command,
    policy_command,
    approve,
    approvals_command,
    approver,
    apply,
    history,
    backup,
    updates,
    trial,
    api_command,
    monitoring,
    inventory,
    review,
    vault_command,
    serve,
    connect,
    agent_test,
    token,
    doctor,
    audit,
    survives,
    drill,
    swarm,
    check,
    man_page,
):
    module.register(app)


def main() -> None:
    """Run the command line; errors end with one message on stderr and an exit code."""
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
