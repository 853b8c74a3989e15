"""``homelab-mcp validate``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, globals_of

if TYPE_CHECKING:
    from homelab_mcp.model.finding import Finding


class Format(StrEnum):
    """How ``validate`` prints."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def _formatted(findings: Sequence[Finding], form: Format) -> str:
    from homelab_mcp.core.checks.formats import github, sarif

    if form is Format.GITHUB:
        return "\n".join(github(findings))
    from homelab_mcp import __version__

    return json.dumps(sarif(findings, __version__), ensure_ascii=False, indent=2)


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def validate(
        ctx: typer.Context,
        paths: Annotated[list[str] | None, typer.Argument(help="Files or folders; none: the lab.")] = None,
        as_json: JsonFlag = False,
        form: Annotated[
            Format, typer.Option("--format", help="text; json (as --json); sarif 2.1.0; github annotations.")
        ] = Format.TEXT,
    ) -> None:
        """Check compose files, inside or outside a lab. Works without Docker.

        Exit code 1 when a finding is an error, 2 when something could not be checked.
        """
        from homelab_mcp.bootstrap import disk_reader, mask_output, redactor_of
        from homelab_mcp.model.finding import Severity
        from homelab_mcp.queries.validate import validate_paths

        named = paths or [globals_of(ctx).root]
        mask_output(redactor_of(*named), named=False)
        outcome = validate_paths(named, reader=disk_reader())

        def show() -> None:
            colours = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
            for finding in outcome.findings:
                console().print(finding.as_line(), style=colours[finding.severity], markup=False)
            worst = sum(f.severity is Severity.ERROR for f in outcome.findings)
            console().print(f"{len(outcome.files)} files, {len(outcome.findings)} findings, {worst} errors.")

        if form in {Format.SARIF, Format.GITHUB} and not as_json:
            typer.echo(_formatted(outcome.findings, form))
        else:
            emit(outcome.as_dict(), as_json or form is Format.JSON, show)
        for problem in outcome.could_not_run:
            console(error=True).print(f"Not checked: {problem}", markup=False)
        raise typer.Exit(outcome.exit_code)
