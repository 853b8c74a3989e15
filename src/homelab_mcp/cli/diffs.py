"""A diff as a person reads it at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))


def diff_text(diff: str) -> Text:
    """The whole diff, coloured by line, for a console that wraps nothing itself.

    Rich's Syntax crops lines at the window's width on such a console, and a person must see all of what they approve:
    the terminal wraps what is too long.
    """
    from rich.text import Text

    lines = (
        (line, next((style for start, style in _STYLES if line.startswith(start)), ""))
        for line in diff.rstrip("\n").splitlines(keepends=True)
    )
    return Text.assemble(*lines)
