"""``homelab-mcp validate``."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, globals_of


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def validate(
        ctx: typer.Context,
        paths: Annotated[list[str] | None, typer.Argument(help="Files or folders; none: the lab.")] = None,
        as_json: JsonFlag = False,
    ) -> None:
        """Check compose files, inside or outside a lab. Works without Docker.

        Exit code 1 when a finding is an error, 2 when something could not be checked.
        """
        from homelab_mcp.bootstrap import disk_reader
        from homelab_mcp.model.finding import Severity
        from homelab_mcp.queries.validate import validate_paths

        outcome = validate_paths(paths or [globals_of(ctx).root], reader=disk_reader())

        def show() -> None:
            colours = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
            for finding in outcome.findings:
                console().print(finding.as_line(), style=colours[finding.severity], markup=False)
            worst = sum(f.severity is Severity.ERROR for f in outcome.findings)
            console().print(f"{len(outcome.files)} files, {len(outcome.findings)} findings, {worst} errors.")

        emit(outcome.as_dict(), as_json, show)
        for problem in outcome.could_not_run:
            console(error=True).print(f"Not checked: {problem}", markup=False)
        raise typer.Exit(outcome.exit_code)
