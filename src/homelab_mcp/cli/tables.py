"""Tables for people and pipes: rich, without lines around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNBOUNDED = 10_000


def table_of(rows: Sequence[Mapping[str, Any]], titles: Sequence[str]) -> Table:
    """A table of those keys of each row; what a row does not have stays empty."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title.replace("_", " "), overflow="fold")
    for row in rows:
        # As Text, for rich would read [/x] of somebody's name or label as markup, and lose it or end there.
        table.add_row(*(Text("" if row.get(title) is None else str(row[title])) for title in titles))
    return table


def fits(out: Console, table: Table) -> bool:
    """Whether no cell of it needs a second line there; into a pipe or a file everything fits."""
    return not out.is_terminal or _needed(out, table) <= out.width


def print_table(out: Console, table: Table) -> None:
    """Print it; into a pipe or a file with each row on one line, as programs that read lines expect."""
    if not out.is_terminal:
        out.width = max(out.width, _needed(out, table))
    out.print(table)


def _needed(out: Console, table: Table) -> int:
    return out.measure(table, options=out.options.update(width=_UNBOUNDED)).maximum
