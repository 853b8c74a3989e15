"""``homelab-mcp man-page``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import typer

from homelab_mcp.core.man_page import Command, Option, Page, man_page


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="man-page")
    def show(ctx: typer.Context) -> None:
        """Print the manual page of this program, as man(1) reads it.

        Send it to ~/.local/share/man/man1/homelab-mcp.1, then `man homelab-mcp` shows it.
        """
        typer.echo(page_of(ctx.find_root().command), nl=False)


def page_of(program: Any) -> str:
    """The manual page of a command tree, as ``tree_of`` takes it."""
    return man_page(tree_of(program))


def tree_of(program: Any) -> Page:
    """What a command tree says of itself: options, commands, exit codes.

    Args:
        program: the tree as ``typer.main.get_command`` makes it; Typer carries its own copy of Click, without types.
    """
    from homelab_mcp import __version__

    return Page(
        "homelab-mcp",
        __version__,
        str(program.help).rstrip("."),
        _options(program.params),
        tuple(_commands(program, ())),
        str(program.epilog).partition("Exit codes: ")[2],
    )


def _commands(group: Any, words: tuple[str, ...]) -> Iterator[Command]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        path = (*words, name)
        if hasattr(command, "commands"):
            if own := [param for param in command.params if not param.hidden and param.name != "help"]:
                yield Command(path, command.help or "", _options(own))
            yield from _commands(command, path)
        else:
            yield Command(path, command.help or "", _options(command.params))


def _options(params: Sequence[Any]) -> tuple[Option, ...]:
    return tuple(_option(param) for param in params if not param.hidden)


def _option(param: Any) -> Option:
    """One parameter; a flag takes no value."""
    argument = not str(param.opts[0]).startswith("-")
    flag = getattr(param, "is_flag", False)
    return Option(
        names=(*param.opts, *param.secondary_opts),
        value="" if flag or (argument and not param.metavar) else str(param.metavar or param.name).upper(),
        help=str(param.help or ""),
        required=bool(param.required),
        repeated=bool(param.multiple) or param.nargs == -1,
        variable=str(param.envvar or ""),
    )
