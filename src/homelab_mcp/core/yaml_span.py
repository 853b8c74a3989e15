"""Edits of a YAML text as insertions and removals of whole lines (or of one item inside ``{}`` and ``[]``).

Each takes a text and gives a text; nothing but the inserted or removed characters differs. That the result means
what it should is for the caller to check.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from homelab_mcp.core import yaml_layout
from homelab_mcp.core.yaml_emit import Style, entry, flow, items, scalar, service_entry
from homelab_mcp.core.yaml_layout import BOM, Layout, Node
from homelab_mcp.model.errors import EditRefused

_SERVICES = "services"


@lru_cache(maxsize=4)
def layout_of(text: str) -> Layout:
    """The text's layout (see :func:`homelab_mcp.core.yaml_layout.read`), kept while several edits of it are tried."""
    return yaml_layout.read(text)


def style_of(layout: Layout) -> Style:
    """How the file is laid out: from its services where there are any, else from any block mapping."""
    newline = "\r\n" if layout.text.partition("\n")[0].endswith("\r") else "\n"
    pairs = _block_pairs(layout)
    step = next((c for c in (_step(layout, k, v) for k, v in pairs if v.kind == "mapping") if c > 0), 2)
    lists = [layout.column(_dash(layout, v)) > layout.column(k.start) for k, v in pairs if v.kind == "sequence"]
    return Style(step=min(step, 8), indented_lists=lists[0] if lists else True, newline=newline)


def append_section(text: str, key: str, value: Any, *, gap: bool = True) -> str:
    """Add a top-level ``key`` at the end of the document, after a blank line where ``gap``. None: written empty."""
    layout = layout_of(text)
    if layout.root is not None and (layout.root.kind != "mapping" or layout.root.flow):
        raise EditRefused("The file's top level is not written as a block of keys.", code="flow_style")
    style = style_of(layout)
    column = layout.column(layout.root.start) if layout.root else 0
    lines = entry(key, value, column, style) if value is not None else [f"{' ' * column}{scalar(key)}:"]
    if gap and text.removeprefix(BOM):
        lines.insert(0, "")
    return _put(text, layout.limit, lines, style)


def insert_entry(text: str, path: Sequence[str | int], key: str, value: Any, *, gap: bool = False) -> str:
    """Add ``key: value`` at the end of the mapping at ``path``.

    Raises:
        EditRefused: what is there is no mapping, or one that cannot be added to (an alias).
    """
    layout = layout_of(text)
    owner, holder = _holder(layout, path)
    style = style_of(layout)
    if holder.kind == "mapping" and holder.flow:
        return _put_flow(text, holder, f"{scalar(key)}: {flow(value)}")
    if holder.empty_scalar:
        column = layout.column(owner.start) + style.step
        place = _after_comments(layout, layout.line_end(owner.end), column)
        gap = False
    elif holder.kind == "mapping" and holder.children:
        first = holder.children[0][0]
        column = layout.column(first.start if first else holder.start)
        place = _after_comments(layout, layout.line_end(holder.end), column)
    else:
        raise EditRefused(f"'{_shown(path)}' is not written as a mapping.", code="not_a_mapping")
    make = service_entry if tuple(path) == (_SERVICES,) else entry
    return _put(text, place, ([""] if gap else []) + make(key, value, column, style), style)


def insert_item(text: str, path: Sequence[str | int], value: Any) -> str:
    """Add an item at the end of the sequence at ``path``.

    Raises:
        EditRefused: what is there is no sequence.
    """
    layout = layout_of(text)
    owner, holder = _holder(layout, path)
    style = style_of(layout)
    if holder.kind == "sequence" and holder.flow:
        return _put_flow(text, holder, flow(value))
    if holder.empty_scalar:
        column = layout.column(owner.start) + (style.step if style.indented_lists else 0)
        place = layout.line_end(owner.end)
    elif holder.kind == "sequence" and holder.children:
        column = layout.column(_dash(layout, holder))
        place = layout.line_end(holder.end)
    else:
        raise EditRefused(f"'{_shown(path)}' is not written as a list.", code="not_a_list")
    return _put(text, place, items([value], column, style), style)


def remove_entry(text: str, path: Sequence[str | int], *, gap: bool = False) -> str:
    """Remove the entry at ``path`` with everything inside it; with ``gap`` also a blank line right before it."""
    layout = layout_of(text)
    found = layout.find(*path)
    parent = layout.find(*path[:-1])
    if found is None or parent is None:
        raise EditRefused(f"'{_shown(path)}' is not written in the file itself.", code="not_written_here")
    key, value = found
    if parent[1].flow:
        return _cut_flow(text, parent[1], key.start, max(key.end, value.end))
    return _cut_lines(layout, key.start, max(key.end, value.end), gap=gap)


def remove_item(text: str, path: Sequence[str | int], value: str) -> str:
    """Remove the last item with that text from the sequence at ``path``; the text as it was when there is none."""
    layout = layout_of(text)
    found = layout.find(*path)
    if found is None or found[1].kind != "sequence":
        return text
    item = next((i for _, i in reversed(found[1].children) if i.kind == "scalar" and i.text == value), None)
    if item is None:
        return text
    if found[1].flow:
        return _cut_flow(text, found[1], item.start, item.end)
    return _cut_lines(layout, item.start, item.end, gap=False)


def remove_child(text: str, path: Sequence[str | int], index: int) -> str:
    """Remove the item or entry that stands at ``index`` (from 0, as written) in the collection at ``path``.

    Raises:
        EditRefused: there is none, or it shares its line with another.
    """
    layout = layout_of(text)
    _, holder = _holder(layout, path)
    if not 0 <= index < len(holder.children):
        raise EditRefused(f"'{_shown(path)}' has no entry at that place.", code="not_written_here")
    key, value = holder.children[index]
    start, end = (key or value).start, max(value.end, key.end if key else 0)
    return _cut_flow(text, holder, start, end) if holder.flow else _cut_lines(layout, start, end, gap=False)


def unfold(text: str, key: str) -> str:
    """A top-level ``key: {}`` as ``key:``, so that entries can follow as lines; other forms as they are.

    Raises:
        EditRefused: the braces hold something (code ``flow_style``).
    """
    found = layout_of(text).find(key)
    if found is None or not found[1].flow:
        return text
    colon = text.index(":", found[0].end) + 1
    if text[colon : found[1].end] != " {}":
        raise EditRefused(f"'{key}' is written in flow style, on one line.", code="flow_style")
    return text[:colon] + text[found[1].end :]


def fold(text: str, key: str) -> str:
    """The reverse of :func:`unfold`: an empty top-level ``key:`` as ``key: {}``."""
    found = layout_of(text).find(key)
    if found is None or not found[1].empty_scalar:
        return text
    colon = text.index(":", found[0].end) + 1
    return f"{text[:colon]} {{}}{text[colon:]}"


def _shown(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))


def _holder(layout: Layout, path: Sequence[str | int]) -> tuple[Node, Node]:
    found = layout.find(*path)
    if found is None:
        raise EditRefused(f"'{_shown(path)}' is not written in the file itself.", code="not_written_here")
    return found


def _put(text: str, place: int, lines: Sequence[str], style: Style) -> str:
    head, tail = text[:place], text[place:]
    if head.removeprefix(BOM) and not head.endswith("\n"):
        head += style.newline
    return head + "".join(f"{line}{style.newline}" for line in lines) + tail


def _put_flow(text: str, holder: Node, item: str) -> str:
    if holder.children:
        last = holder.children[-1]
        place = max(last[1].end, last[0].end if last[0] else 0)
        return f"{text[:place]}, {item}{text[place:]}"
    place = text.index("{" if holder.kind == "mapping" else "[", holder.start) + 1
    return f"{text[:place]}{item}{text[place:]}"


def _cut_flow(text: str, holder: Node, start: int, end: int) -> str:
    ends = [max(value.end, key.end if key else 0) for key, value in holder.children]
    before = [e for e in ends if e <= start]
    if before:
        return text[: before[-1]] + text[end:]
    following = [(key or value).start for key, value in holder.children if (key or value).start >= end]
    return text[:start] + text[following[0] if following else end :]


def _cut_lines(layout: Layout, start: int, end: int, *, gap: bool) -> str:
    text = layout.text
    first, last = layout.line_start(start), layout.line_end(end)
    lead = text[first:start].removeprefix(BOM)
    if lead.strip(" ") not in {"", "-"}:
        raise EditRefused("The entry shares its line with another.", code="shared_line")
    if gap and first > 0:
        before = layout.line_start(first - 1)
        if not text[before:first].strip():
            first = before
    if text.startswith(BOM) and first == 0:
        first = 1
    return text[:first] + text[last:]


def _after_comments(layout: Layout, place: int, column: int) -> int:
    """Past the comment lines that belong to what ends at ``place``: as far right as ``column``, or switched-off code.

    A comment in column 0 counts when it follows at once and its text is indented (``#    ports:``).
    """
    text = layout.text
    best = here = place
    touching = True
    while here < layout.limit:
        end = layout.line_end(here)
        line = text[here:end].rstrip("\r\n")
        body = line.lstrip(" \t")
        if not body:
            touching = False
        elif not body.startswith("#"):
            break
        else:
            switched_off = line.startswith("#") and touching and body[1:3] in {"  ", "\t\t", " \t"}
            if not switched_off and not 0 < column <= len(line) - len(body):
                break
            best = end
        here = end
    return best


def _block_pairs(layout: Layout) -> list[tuple[Node, Node]]:
    """Block (key, value) pairs to learn a style from: services' first, then any at the top level."""
    found: list[tuple[Node, Node]] = []
    services = layout.find(_SERVICES)
    queue = [services] if services else []
    if layout.root is not None:
        queue += [(k, v) for k, v in layout.root.children if k is not None]
    for key, value in queue:
        found.append((key, value))
        for inner_key, inner in value.children:
            if inner_key is not None:
                found.append((inner_key, inner))
                found.extend((k, v) for k, v in inner.children if k is not None)
    return [(k, v) for k, v in found if v.children and not v.flow]


def _step(layout: Layout, key: Node, value: Node) -> int:
    first = value.children[0][0]
    return layout.column(first.start) - layout.column(key.start) if first else 0


def _dash(layout: Layout, sequence: Node) -> int:
    """Offset of the first item's dash."""
    return layout.text.rfind("-", layout.line_start(sequence.children[0][1].start), sequence.children[0][1].start)
