"""``homelab-mcp doctor``."""

from __future__ import annotations

from dataclasses import asdict

import typer

from homelab_mcp.cli.common import FAILED, JsonFlag, console, emit, lab_of


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def doctor(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """Check what homelab-mcp needs and what it left behind, and say what to do."""
        from homelab_mcp.queries.doctor import doctor as ask

        checks = ask(lab_of(ctx))

        def show() -> None:
            from rich.text import Text

            for check in checks:
                mark = ("ok  ", "green") if check.ok else ("FAIL", "red")
                console().print(Text.assemble(mark, f" {check.name}: {check.sentence}"))
                if not check.ok and check.hint:
                    console().print(Text(f"       {check.hint}", style="dim"))

        emit({"checks": [asdict(c) for c in checks]}, as_json, show)
        if not all(c.ok for c in checks):
            raise typer.Exit(FAILED)
