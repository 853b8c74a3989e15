"""A text's change as edits by line and column, and back: lines end with a line feed, columns count from 1.

A byte order mark at the start belongs to no line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from homelab_mcp.model.errors import EditRefused
from homelab_mcp.model.finding import TextEdit

_BOM = "\ufeff"


def edits_between(file: str, before: str, after: str) -> tuple[TextEdit, ...]:
    """The edits that make ``after`` of ``before``: whole lines put in or taken out, else the least inside a line."""
    old, new = (t.removeprefix(_BOM).split("\n") for t in (before, after))
    old, new = _with_ends(old), _with_ends(new)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    found = []
    for tag, i1, i2, j1, j2 in _narrowed(matcher, old, new):
        if tag == "equal":
            continue
        gone, put = "".join(old[i1:i2]), "".join(new[j1:j2])
        head = _common(gone, put) if gone and put else 0
        tail = _common(gone[head:][::-1], put[head:][::-1]) if gone and put else 0
        end = len(gone) - tail
        found.append(TextEdit(file, *_place(gone, head, i1), *_place(gone, end, i1), put[head : len(put) - tail]))
    return tuple(found)


def apply_edits(text: str, edits: Iterable[TextEdit]) -> str:
    """The text with edits made; several at one place keep their order.

    Raises:
        EditRefused: an edit is outside the text, or two overlap (code ``edit_misfit``).
    """
    mark = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    starts = [0]
    for line in _with_ends(body.split("\n")):
        starts.append(starts[-1] + len(line))
    out: list[str] = []
    done = 0
    for start, end, put in sorted((_span(starts, len(body), e) for e in edits), key=lambda s: (s[0], s[1] > s[0])):
        if start < done or end < start:
            raise EditRefused("Two edits overlap.", code="edit_misfit")
        out += [body[done:start], put]
        done = end
    return mark + "".join(out) + body[done:]


def overlaps(one: TextEdit, other: TextEdit) -> bool:
    """Whether two edits cannot be made together: they share or touch characters, or begin the same block."""
    if one.file != other.file:
        return False
    a, b = ((e.line, e.column) for e in (one, other))
    x, y = ((e.end_line, e.end_column) for e in (one, other))
    if a == x and b == y:
        return a == b and _first(one.text) == _first(other.text)
    return not (x < b or y < a)


def _first(text: str) -> str:
    """What a block begins with: its key, or a variable's name."""
    return re.split(r"=|: |:$", text.strip().partition("\n")[0].rstrip())[0]


def _with_ends(lines: Sequence[str]) -> list[str]:
    """Lines with their ends; no empty one after the last break."""
    kept = [f"{line}\n" for line in lines[:-1]]
    return [*kept, lines[-1]] if lines[-1] else kept


def _narrowed(
    matcher: difflib.SequenceMatcher[str], old: Sequence[str], new: Sequence[str]
) -> Iterable[tuple[str, int, int, int, int]]:
    """The matcher's steps; compared is only what lies between the equal lines at both ends."""
    head = _common(old, new)
    tail = _common(list(reversed(old[head:])), list(reversed(new[head:])))
    matcher.set_seqs(old[head : len(old) - tail], new[head : len(new) - tail])
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        yield tag, i1 + head, i2 + head, j1 + head, j2 + head


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many elements are the same from the start."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _place(gone: str, offset: int, line: int) -> tuple[int, int]:
    """Line and column (from 1) of an offset into lines that begin at index ``line``."""
    before = gone[:offset]
    return line + before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _span(starts: Sequence[int], size: int, edit: TextEdit) -> tuple[int, int, str]:
    places = []
    for line, column in ((edit.line, edit.column), (edit.end_line, edit.end_column)):
        if not 0 < line <= len(starts) or column < 1 or starts[line - 1] + column - 1 > size:
            raise EditRefused("An edit lies outside the file.", code="edit_misfit")
        places.append(starts[line - 1] + column - 1)
    return places[0], places[1], edit.text
