"""Setting, adding and removing one value at a path of a YAML text; every other character stays.

Built on :mod:`homelab_mcp.core.yaml_span`, which inserts and cuts lines: this module finds what is written where, in
block or flow style, itself or by an alias or a merge. Whether the result means what it should is for the caller to
check; what cannot be done by spans alone is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homelab_mcp.core import yaml_span
from homelab_mcp.core.checks.fix_source import Slot, Source, source_of
from homelab_mcp.core.compose_meaning import same
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.core.yaml_emit import entry, flow, items, scalar
from homelab_mcp.core.yaml_layout import Node
from homelab_mcp.model.errors import EditRefused


def put(text: str, path: Path, value: Any) -> str:
    """The text with ``value`` at ``path``: replaced where something is written there, else added.

    A mapping over a mapping changes only the keys that differ. What a mapping has from an alias or a merge (``<<``) is
    left there: the change is written beside it, where it wins.

    Raises:
        EditRefused: a parent of the path is no mapping, or the lines are shared with something else.
    """
    source = _source(text)
    slot = source.at(path)
    if slot is None:
        return _add(source, path, value)
    old = at(source.data, path)
    if same(old, value) and slot.value.kind != "alias":
        return text
    gone = [k for k in old if k not in value] if isinstance(old, Mapping) and isinstance(value, Mapping) else []
    written = slot.value.kind == "mapping" and all(source.at((*path, k)) for k in gone)
    if written and isinstance(value, Mapping) and value and isinstance(old, Mapping) and old:
        for key, item in value.items():
            text = put(text, (*path, key), item)
        for key in gone:
            text = drop(text, (*path, key), prune=False)
        return text
    return _replace(source, slot, value)


def push(text: str, path: Path, item: Any) -> str:
    """The text with one item more at the end of the list at ``path``; a list that is not there is made.

    Raises:
        EditRefused: what is there is no list.
    """
    source = _source(text)
    slot = source.at(path)
    there = at(source.data, path)
    if slot is None or there is None or (isinstance(there, list) and (slot.value.kind == "alias" or not there)):
        return put(text, path, [*(there or ()), item])
    return yaml_span.insert_item(text, path, item)


def drop(text: str, path: Path, *, prune: bool = True) -> str:
    """The text without the entry or item at ``path``.

    With ``prune`` a parent goes as well that it leaves empty, below a service.

    Raises:
        EditRefused: it is not written there itself (an alias or a merge has it), or shares its line with another.
    """
    source = _source(text)
    slot, holder = source.at(path), source.at(path[:-1])
    if slot is None or holder is None:
        raise EditRefused(
            f"'{shown(path)}' is not written there itself: it comes from an anchor (*) or a merge (<<).",
            code="not_written_here",
            hint="Change the shared block by hand, or write the value out where it is used.",
        )
    if prune and len(path) > 3 and len(holder.value.children) == 1:
        return drop(text, path[:-1])
    return yaml_span.remove_child(text, path[:-1], slot.index)


def at(data: Any, path: Path) -> Any:
    """The data at a path; None where there is nothing."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data):
            data = data[step]
        else:
            return None
    return data


def has(data: Any, path: Path) -> bool:
    """Whether the data has something at a path, None included."""
    home = at(data, path[:-1])
    if isinstance(home, list):
        return isinstance(path[-1], int) and path[-1] < len(home)
    return isinstance(home, Mapping) and path[-1] in home


def set_in(data: Any, path: Path, value: Any) -> None:
    """Put a value into plain data; parents that are missing are made. Raises EditRefused."""
    home: Any = data
    for step in path[:-1]:
        if isinstance(home, dict) and home.get(step) is None:
            home[step] = {}
        home = at(home, (step,))
    if not isinstance(home, (dict, list)):
        raise EditRefused(f"'{shown(path[:-1])}' is not written as a mapping.", code="not_a_mapping")
    slots: Any = home
    slots[path[-1]] = value


def drop_in(data: Any, path: Path) -> None:
    """Take a value out of plain data, with parents below a service that it leaves empty."""
    home = at(data, path[:-1])
    del home[path[-1]]
    if not home and len(path) > 3:
        drop_in(data, path[:-1])


def shown(path: Path) -> str:
    """A path as people write it."""
    return ".".join(str(step) for step in path)


def _source(text: str) -> Source:
    found = source_of(text)
    if found is None:
        raise EditRefused("The file cannot be read.", code="edit_broke_file")
    return found


def _add(source: Source, path: Path, value: Any) -> str:
    """Add what is not written: below the deepest parent that is."""
    depth = len(path) - 1
    while depth and source.at(path[:depth]) is None:
        depth -= 1
    home, key, rest = path[:depth], str(path[depth]), path[depth + 1 :]
    # What the mapping inherits is written out with the change in it: Compose's own keys win as a whole.
    value = _nested(at(source.data, path[: depth + 1]), rest, value)
    slot = source.at(home)
    if slot is None:
        return yaml_span.append_section(source.text, key, value)
    if slot.value.kind == "alias":
        if not isinstance(at(source.data, home), Mapping):
            raise EditRefused(f"'{shown(home)}' is an alias of no mapping.", code="not_a_mapping")
        return _beside_alias(source, slot, key, value)
    return yaml_span.insert_entry(source.text, home, key, value)


def _nested(inherited: Any, rest: Path, value: Any) -> Any:
    if not rest:
        return value
    if inherited is not None and not isinstance(inherited, Mapping):
        raise EditRefused("A parent of it is no mapping.", code="not_a_mapping")
    base = dict(inherited or {})
    return {**base, rest[0]: _nested(base.get(rest[0]), rest[1:], value)}


def _beside_alias(source: Source, slot: Slot, key: str, value: Any) -> str:
    """``environment: *env`` as a block that merges the alias and has one key more."""
    alias = source.text[slot.value.start : slot.value.end]
    if slot.flow or slot.key is None:
        raise EditRefused("It is an alias inside braces.", code="flow_style")
    layout, style = source.layout, yaml_span.style_of(source.layout)
    column = layout.column(slot.key.start) + style.step
    lines = [f"{' ' * column}<<: {alias}", *entry(key, value, column, style)]
    return _below(source, slot.key, slot.value, lines)


def _replace(source: Source, slot: Slot, value: Any) -> str:
    """Another value in an entry's or item's place, its key, comment and place kept."""
    text, node = source.text, slot.value
    collection = isinstance(value, (Mapping, list, tuple))
    if node.kind == "scalar" and not node.empty_scalar and not collection:
        return _rescaled(source, slot, value)
    if slot.flow or slot.key is None:
        if slot.key is None and isinstance(value, Mapping) and not slot.flow:
            return _reitem(source, node, value)
        return f"{text[: node.start]}{flow(value)}{text[node.end :]}"
    key = slot.key
    lines = entry("k", value, source.layout.column(key.start), yaml_span.style_of(source.layout))
    if len(lines) > 1:
        return _below(source, key, node, lines[1:])
    colon = _colon(text, key)
    inline = lines[0].partition(":")[2]
    line_end = source.layout.line_end(key.end)
    if node.empty_scalar:
        return text[:colon] + inline + text[colon:]
    if node.start < line_end:
        return text[:colon] + inline + text[node.end :]
    kept = text[colon:line_end].rstrip("\r\n")
    return text[:colon] + inline + kept + text[node.end :]


def _rescaled(source: Source, slot: Slot, value: Any) -> str:
    if isinstance(value, str):
        try:
            return source.written(slot, value)
        except EditRefused:
            pass  # several lines, or characters that only double quotes can hold
    node, text = slot.value, source.text
    if node.decorated:
        raise EditRefused("It has an anchor or a tag.", code="not_written_here")
    # A block scalar's last line break is not part of its node.
    return f"{text[: node.start]}{scalar(value)}{text[node.end :]}"


def _reitem(source: Source, node: Node, value: Mapping[str, Any]) -> str:
    """A mapping in a list item's place."""
    layout = source.layout
    column = layout.column(node.start)
    style = yaml_span.style_of(layout)
    lines = items([value], max(column - 2, 0), style)
    body = style.newline.join(lines).lstrip(" ")[2:]
    return source.text[: node.start] + body + source.text[node.end :]


def _below(source: Source, key: Node, node: Node, lines: Sequence[str]) -> str:
    """The entry's value as lines under its key; a comment on the key's or a one-line value's line stays."""
    text, layout = source.text, source.layout
    newline = yaml_span.style_of(layout).newline
    colon, line_end = _colon(text, key), layout.line_end(key.end)
    end = max(node.end, key.end)
    if node.empty_scalar:
        kept, rest = text[colon:line_end].rstrip("\r\n"), text[line_end:]
    elif node.start < line_end:
        kept, rest = text[end : layout.line_end(end)].rstrip("\r\n"), text[layout.line_end(end) :]
    else:
        kept, rest = text[colon:line_end].rstrip("\r\n"), text[layout.line_end(end) :]
    body = newline.join(["", *lines])
    last = rest or text.endswith("\n")
    return text[:colon] + kept + body + (newline if last else "") + rest


def _colon(text: str, key: Node) -> int:
    """The place after an entry's colon."""
    place = text.find(":", key.end)
    if place < 0 or text[key.end : place].strip(" \t"):
        raise EditRefused("Its key is written in a way that is not edited here.", code="odd_key")
    return place + 1
