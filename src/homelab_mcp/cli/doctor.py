"""``homelab-mcp doctor``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from homelab_mcp.cli.common import FAILED, JsonFlag, console, emit, lab_of

if TYPE_CHECKING:
    from homelab_mcp.model.host import Check


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def doctor(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """Check what homelab-mcp needs and what it left behind, and say what to do."""
        from homelab_mcp.queries.doctor import doctor as ask

        checks = ask(lab_of(ctx))

        def show() -> None:
            show_checks(checks)

        emit({"checks": [{**asdict(c), "level": c.level} for c in checks]}, as_json, show)
        if not all(c.ok for c in checks):
            raise typer.Exit(FAILED)


def show_checks(checks: Iterable[Check]) -> None:
    """Print checks for a person: the mark, what was seen, and what to do where something is not well."""
    from rich.text import Text

    marks = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}
    for check in checks:
        console().print(Text.assemble(marks[check.level], f" {check.name}: {check.sentence}"))
        if check.level != "ok" and check.hint:
            console().print(Text(f"       {check.hint}", style="dim"))
