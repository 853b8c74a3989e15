"""``homelab-mcp validate``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, globals_of
from homelab_mcp.cli.plan_flow import PlanOnly

if TYPE_CHECKING:
    from homelab_mcp.model.finding import Finding
    from homelab_mcp.queries.validate import ValidationResult


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
        paths: Annotated[
            list[str] | None, typer.Argument(help="Files, folders, or stacks of the lab; none: the lab.")
        ] = None,
        files: Annotated[
            list[str] | None,
            typer.Option("--file", "-f", help="Files of one stack, merged in this order; may be given again."),
        ] = None,
        engine: Annotated[
            bool, typer.Option("--engine", help="Also ask `docker compose config`, within bounds of time and memory.")
        ] = False,
        fix: Annotated[
            bool, typer.Option("--fix", help="Plan the safe fixes; outside of a lab, print them as a diff.")
        ] = False,
        unsafe: Annotated[bool, typer.Option("--unsafe", help="With --fix: suggestions too.")] = False,
        rules: Annotated[
            list[str] | None, typer.Option("--rule", help="With --fix: only this rule; may be given again.")
        ] = None,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
        form: Annotated[
            Format, typer.Option("--format", help="text; json (as --json); sarif 2.1.0; github annotations.")
        ] = Format.TEXT,
    ) -> None:
        """Check compose files, inside or outside a lab. Works without Docker.

        Exit code 1 when a finding is an error, 2 when something could not be checked.
        """
        from homelab_mcp.bootstrap import mask_output, redactor_of
        from homelab_mcp.cli.validate_run import Asked, fix_plan_or_diff, validated

        root = globals_of(ctx).root
        asked = Asked(tuple(_place(p, root) for p in paths or ()), tuple(files or ()), root, globals_of(ctx).files_only)
        mask_output(redactor_of(*asked.looked_at(), *asked.files), named=False)
        if fix:
            raise typer.Exit(fix_plan_or_diff(asked, rules or (), unsafe=unsafe, as_json=as_json, plan_only=plan_only))
        outcome = validated(asked, engine=engine, fixes=form is Format.SARIF)
        _show(outcome, form, as_json=as_json)
        raise typer.Exit(outcome.exit_code)


def _place(path: str, root: str) -> str:
    """The path; where there is none, the lab's own of that name, as other commands take a stack's name."""
    ours = Path(root, path)
    return str(ours) if not Path(path).exists() and ours.exists() else path


def _show(outcome: ValidationResult, form: Format, *, as_json: bool) -> None:
    from homelab_mcp.model.finding import Severity

    def text() -> None:
        colours = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
        for finding in outcome.findings:
            console().print(finding.as_line(), style=colours[finding.severity], markup=False)
        worst = sum(f.severity is Severity.ERROR for f in outcome.findings)
        console().print(f"{len(outcome.files)} files, {len(outcome.findings)} findings, {worst} errors.")

    if form in {Format.SARIF, Format.GITHUB} and not as_json:
        typer.echo(_formatted(outcome.findings, form))
    else:
        emit(outcome.as_dict(), as_json or form is Format.JSON, text)
    for problem in outcome.could_not_run:
        console(error=True).print(f"Not checked: {problem}", markup=False)
