"""``homelab-mcp survives``."""

from __future__ import annotations

from typing import Any

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit, lab_of


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def survives(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """Which services survive which failure: a crash, a hang, a reboot, the log-in down, a machine or NAS lost."""
        from homelab_mcp.queries.survival import survives as ask

        found = ask(lab_of(ctx))
        emit(found, as_json, lambda: _show(found))


def _show(found: dict[str, Any]) -> None:
    from rich.text import Text

    out = console()
    for one in found["failures"]:
        unknown: dict[str, str] = one.get("unknown", {})
        told = f"{one['failure']}: {one['survive']} go on, {len(one['down'])} do not"
        out.print(Text(told + (f", {len(unknown)} unknown" if unknown else ""), style="bold"))
        reasons: dict[str, list[str]] = {}
        for where, why in [*one["down"].items(), *((w, f"unknown: {why}") for w, why in unknown.items())]:
            reasons.setdefault(why, []).append(where)
        for why, names in reasons.items():
            out.print(Text(f"  {why}: {', '.join(names)}"))
        if one.get("data_gone"):
            out.print(Text(f"  data in no backup: {', '.join(one['data_gone'])}", style="red"))
        if one.get("note"):
            out.print(Text(f"  {one['note']}", style="dim"))
    if found.get("not_read"):
        out.print(Text(f"Not read: {', '.join(found['not_read'])}", style="yellow"))
