"""``homelab-mcp review``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from homelab_mcp.cli.common import HostOption, JsonFlag, console, emit, lab_of, seen
from homelab_mcp.cli.diffs import diff_text
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def review(
        ctx: typer.Context,
        stack: Annotated[str, typer.Argument(help="Only this stack; . for the lab's own files.")] = "",
        host: HostOption = "",
        adopt: Annotated[bool, typer.Option("--adopt", help="Plan to commit it as it is.")] = False,
        undo: Annotated[bool, typer.Option("--undo", help="Plan to take it back.")] = False,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """What was changed by hand since the last commit, and where containers differ from their files."""
        from homelab_mcp.model.errors import InvalidInput
        from homelab_mcp.queries.review import review as ask

        lab, _ = seen(lab_of(ctx), host, stack=stack)
        if adopt and undo:
            raise InvalidInput("--adopt and --undo exclude each other.", hint="Choose one.")
        if adopt or undo:
            from homelab_mcp.model.plan import Requester
            from homelab_mcp.workflow.proposals import propose_resolve_drift

            made = propose_resolve_drift(lab.whole, stack, "adopt" if adopt else "undo", Requester(via="cli"))
            raise typer.Exit(proposed(lab.whole, made, as_json=as_json, plan_only=plan_only))
        found = ask(lab, stack).as_dict()
        emit(found, as_json, lambda: _show(found))


def _show(found: dict[str, Any]) -> None:
    from rich.text import Text

    out = console()
    if found["clean"]:
        out.print("Nothing was changed by hand, and the containers are as the files say.")
    for title, key in (("Files", "files"), ("Containers", "containers"), ("New findings", "findings")):
        if found[key]:
            out.print(Text(title, style="bold"))
            for line in found[key]:
                out.print(Text(f"  {line}"))
    if found["diff"]:
        out.print(diff_text(found["diff"]))
    for note in found["notes"]:
        out.print(Text(note, style="dim"))
    if not found["clean"]:
        out.print("\nNext: homelab-mcp review STACK --adopt, or --undo")
