"""``homelab-mcp history``, ``rollback`` and ``journal``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from homelab_mcp.cli.common import FAILED, HostOption, JsonFlag, console, emit, lab_of, seen
from homelab_mcp.cli.plan_flow import PlanOnly, proposed


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def history(
        ctx: typer.Context,
        limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
        host: HostOption = "",
        as_json: JsonFlag = False,
    ) -> None:
        """What was applied, when, and what was seen then."""
        from homelab_mcp.queries.history import history as ask

        lab, _ = seen(lab_of(ctx), host)
        rows = ask(lab, limit)

        def show() -> None:
            for row in rows:
                when = datetime.fromtimestamp(row["when"], UTC).strftime("%Y-%m-%d %H:%M")
                console().print(f"{when}  {row['state']:<11} {row['plan_id']}  {row['summary']}")
            if not rows:
                console().print("Nothing was applied yet.")

        emit({"history": rows}, as_json, show)

    @app.command()
    def rollback(
        ctx: typer.Context,
        plan_id: Annotated[str, typer.Argument(help="The applied plan to take back (see history).")],
        to: Annotated[str, typer.Option("--to", help="before or after: that point in time, all later plans too.")] = "",
        stack: Annotated[str, typer.Option("--stack", help="With --to: only this stack.")] = "",
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to take one apply back, or (--to) put the lab as it was at that time; data in volumes stays."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.proposals import propose_rollback

        lab = lab_of(ctx)
        made = propose_rollback(lab, plan_id, Requester(via="cli"), to=to, stack=stack)
        raise typer.Exit(proposed(lab, made, as_json=as_json, plan_only=plan_only))

    @app.command()
    def journal(
        ctx: typer.Context,
        action: Annotated[str, typer.Argument(help="verify, or show.")] = "verify",
        limit: Annotated[int, typer.Option(min=1)] = 50,
        as_json: JsonFlag = False,
    ) -> None:
        """Check the journal's hash chain, or show its last entries."""
        from homelab_mcp.model.errors import InvalidInput

        lab = lab_of(ctx)
        if action == "show":
            entries = lab.journal.entries()[-limit:]

            def show() -> None:
                for entry in entries:
                    console().print(f"{entry['seq']:>6} {entry['time']} {entry['event']} {entry['data']}")

            emit({"entries": entries}, as_json, show)
            return
        if action != "verify":
            raise InvalidInput(f"'{action}' is not an action of journal.", hint="Use verify or show.")
        wrong = lab.journal.verify()
        emit(
            {"ok": not wrong, "problem": wrong},
            as_json,
            lambda: console().print(wrong or "The journal is whole: every line's hash holds."),
        )
        if wrong:
            raise typer.Exit(FAILED)
