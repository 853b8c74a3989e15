"""``homelab-mcp host renew-ca``: another authority for Docker over TCP, in stages that a person goes through."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from homelab_mcp.cli.common import NEEDS_APPROVAL, OK, JsonFlag, console, emit, lab_of
from homelab_mcp.model.errors import InvalidInput

CaKey = Annotated[
    str, typer.Option("--ca-key", help="The CA's key, where you keep it elsewhere than in .homelab/tls/ca; only read.")
]


def register(group: typer.Typer) -> None:
    """Add the command to the group ``host``."""

    @group.command("renew-ca")
    def renew_ca(
        ctx: typer.Context,
        begin: Annotated[bool, typer.Option("--begin", help="Make a new CA and the hosts' new certificates.")] = False,
        go_on: Annotated[
            bool, typer.Option("--next", help="Do what can be done now, by how far the hosts are.")
        ] = False,
        days: Annotated[int, typer.Option(min=1, max=825, help="How long the new certificates last.")] = 397,
        ca_key: CaKey = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Change the CA of all hosts with no gap: both count until each host has the new one; else shows what is next.

        Exit code 3 while something waits for you.
        """
        from homelab_mcp.workflow.renew_ca import ca_renewal, step_ca

        if begin and go_on:
            raise InvalidInput("--begin and --next at once.", hint="Give one of them.", code="bad_options")
        lab = lab_of(ctx)
        found = step_ca(lab, days, begin=begin, ca_key=ca_key) if begin or go_on else ca_renewal(lab, ca_key)
        emit(found, as_json, lambda: _show(found))
        raise typer.Exit(NEEDS_APPROVAL if found["under_way"] else OK)


def _show(found: dict[str, Any]) -> None:
    out = console()
    for row in found["hosts"]:
        out.print(f"{row['host']:<16} {row['says']}", markup=False)
    for step in found["next"]:
        out.print(step, markup=False)
