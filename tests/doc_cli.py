"""What the real command line says of a command: nothing is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer.main
from typer.exceptions import TyperException

from homelab_mcp.cli.app import app

_UNFINISHED = ("Missing ", "Usage: ", "Option '--")
"""How the parser's word begins where prose names a command or an option without what follows it."""

TREE: Any = typer.main.get_command(app)
"""The real command line: what ``homelab-mcp`` itself parses with."""


def parse(words: tuple[str, ...], *, whole: bool = True) -> str:
    """What the real command line says against these words; "" where it takes them. Nothing is run.

    Args:
        words: after ``homelab-mcp``.
        whole: False lets arguments be missing, as where prose names a command.
    """
    if words and words[0] in ("--install-completion", "--show-completion"):
        return ""  # known, and at work as soon as they are parsed
    command, context, rest = TREE, None, list(words)
    try:
        while True:
            context = command.make_context(command.name or "homelab-mcp", rest, parent=context)
            if not hasattr(command, "resolve_command"):
                return ""
            rest = [*context._protected_args, *context.args]
            if not rest and not whole:
                return ""
            if not rest and not command.invoke_without_command:
                return "a command is missing"
            if not rest:
                return ""
            _, command, rest = command.resolve_command(context, rest)
    except typer.Exit:
        return ""  # --version and --help end by themselves
    except TyperException as error:
        said = str(error)
        if "No such file" in said or (not whole and said.startswith(_UNFINISHED)):
            return ""
        return said


def outline(span: str) -> str:
    """What is wrong with a command as prose and tables write it (``[--option VALUE]``, ``on|off``); "" for nothing."""
    words = re.sub(r"[\[\]]|\.\.\.|…", " ", span).split()
    if "[" not in span and "|" not in span and "..." not in span:
        return parse(tuple(shlex.split(span, comments=True)), whole=False)
    commands = [TREE]
    options = _options(TREE)
    for word in words:
        if word.startswith("-"):
            for name in word.split("|"):
                if name != "-" and name.split("=")[0] not in options:
                    return f"no such option: {name}"
        elif word.islower() and any(hasattr(c, "commands") for c in commands):
            below = [c.commands.get(one) for c in commands if hasattr(c, "commands") for one in word.split("|")]
            if None in below:
                return f"no such command: {word}"
            commands = [c for c in below if c is not None]
            options = set().union(options, *(_options(c) for c in commands))
    return ""


def every_option(command: Any = TREE) -> set[str]:
    """The options of all commands together."""
    return _options(command).union(*(every_option(below) for below in getattr(command, "commands", {}).values()))


def leaves(command: Any = TREE, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, by the words that lead to it."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, below in command.commands.items():
        if not below.hidden:
            yield from leaves(below, (*path, name))


def _options(command: Any) -> set[str]:
    found = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return found | {"--help", "-h"}
