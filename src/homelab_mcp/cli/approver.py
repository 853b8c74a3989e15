"""``homelab-mcp approver``: the key that a person's yes is signed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from homelab_mcp.cli.common import FAILED, JsonFlag, at_terminal, console, emit, lab_of, who
from homelab_mcp.cli.plan_flow import PinFile, read_pin
from homelab_mcp.model.errors import InvalidInput

if TYPE_CHECKING:
    from homelab_mcp.ports import Lab
    from homelab_mcp.workflow.approver_trust import ApproverTrust


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="The approver's key and its PIN.", no_args_is_help=True)
    app.add_typer(group, name="approver")

    @group.command("show")
    def show(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """The key in use and the one on record; exit code 1 where they differ."""
        from homelab_mcp.core.approver_record import Standing

        lab = lab_of(ctx)
        found, lines = _facts(lab)

        def text() -> None:
            for line in lines:
                console().print(line, markup=False)

        emit({"standing": str(found[0]), "key": found[1], "on_record": found[2]}, as_json, text)
        if found[0] is Standing.REPLACED:
            raise typer.Exit(FAILED)

    @group.command("change-pin")
    def change_pin(
        ctx: typer.Context,
        pin_file: PinFile = "",
        new_pin_file: Annotated[str, typer.Option("--new-pin-file", help="The same for the new PIN.")] = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Make a new key under a new PIN; the old key signs for it. Answers given before no longer count."""
        lab = lab_of(ctx)
        trust = _trust(lab)
        trust.require()
        old = read_pin(pin_file)
        new = read_pin(new_pin_file) if new_pin_file else _new_pin()
        lab.approver.change(old, new)
        trust.remember(who())
        emit({"key": _facts(lab)[0][1]}, as_json, lambda: console().print("The PIN is changed."))

    @group.command("accept")
    def accept(
        ctx: typer.Context,
        key: Annotated[str, typer.Option("--key", help="The new key's name; asked for at a terminal.")] = "",
        pin_file: PinFile = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Let a new key count although the old one did not sign for it: its PIN was forgotten, or its file lost.

        After removing the old file, `homelab-mcp init` makes the new key. Do this only if you made it yourself.
        """
        lab = lab_of(ctx)
        _, lines = _facts(lab)
        if not as_json:
            for line in lines:
                console(error=True).print(line, markup=False)
        if not key:
            if not at_terminal():
                raise InvalidInput(
                    "Which key is to count was not said.",
                    code="wrong_key",
                    hint="Give --key, as `approver show` has it.",
                )
            key = typer.prompt("If you made the key in use yourself, type its name", err=True)
        _trust(lab).accept(read_pin(pin_file), key, who())
        emit({"key": key}, as_json, lambda: console().print(f"Key {key} counts from now on."))


def _trust(lab: Lab) -> ApproverTrust:
    from homelab_mcp.workflow.approver_trust import ApproverTrust

    return ApproverTrust(lab.approver, lab.journal)


def _facts(lab: Lab) -> tuple[tuple[str, str, str], list[str]]:
    """(standing, the key in use, the key on record), and the same in lines for a person."""
    from homelab_mcp.core.approver_record import Standing, key_name, told

    standing, known = _trust(lab).look()
    name, on_record = key_name(lab.approver.public()), told(known) if known else ""
    lines = [f"in use     {name or 'none: `homelab-mcp init` sets a PIN'}", f"on record  {on_record or 'none yet'}"]
    if standing is Standing.REPLACED:
        lines.append("The key in use was not signed for by the one on record: no answer signed with it counts.")
    return (standing, name, on_record), lines


def _new_pin() -> str:
    answer: str = typer.prompt(
        "New approval PIN (6 characters or more)", hide_input=True, confirmation_prompt=True, err=True
    )
    return answer
