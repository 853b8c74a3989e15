"""``homelab-mcp inventory``: the lab's own page."""

from __future__ import annotations

from typing import Annotated

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def inventory(
        ctx: typer.Context,
        write: Annotated[
            bool, typer.Option("--write", help="Keep it in INVENTORY.md; from then on every apply makes it anew.")
        ] = False,
        as_json: JsonFlag = False,
    ) -> None:
        """What runs, where it is reached, who may pass, where its data is: as Markdown, made from the lab's files."""
        from homelab_mcp.core.inventory import PAGE
        from homelab_mcp.workflow.inventory import Inventory

        page = Inventory(lab_of(ctx))
        if write:
            written = page.start()
            told = f"{PAGE} {'written; every apply keeps it up to date' if written else 'is up to date'}."
            emit({"page": PAGE, "written": written}, as_json, lambda: console().print(told))
            return
        text = page.made()
        emit({"page": PAGE, "text": text}, as_json, lambda: typer.echo(text, nl=False))
