"""Where the parts of a YAML text stand: a tree of character offsets, without values, made from parser events.

Offsets are Python string indexes. A collection in block style ends where its last scalar ends, so that comments and
blank lines after it belong to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from homelab_mcp.model.errors import EditRefused

BOM = "\ufeff"


@dataclass(slots=True)
class Node:
    """One node's place. ``children`` of a mapping are (key, value) pairs, of a sequence (None, item) pairs."""

    kind: Literal["scalar", "mapping", "sequence", "alias"]
    start: int
    end: int
    text: str = ""
    flow: bool = False
    decorated: bool = False
    children: list[tuple[Node | None, Node]] = field(default_factory=list)

    @property
    def empty_scalar(self) -> bool:
        """True for a value that is not written at all (``key:``)."""
        return self.kind == "scalar" and self.start == self.end and not self.decorated

    def child(self, key: str) -> tuple[Node, Node] | None:
        """The (key, value) pair written with that key, or None."""
        for name, value in self.children:
            if name is not None and name.kind == "scalar" and name.text == key:
                return name, value
        return None

    def item(self, index: int) -> tuple[Node, Node] | None:
        """The item of a sequence at that place (from 0), twice, or None."""
        if self.kind != "sequence" or not 0 <= index < len(self.children):
            return None
        return (self.children[index][1],) * 2


@dataclass(frozen=True, slots=True)
class Layout:
    """A text's root node (None for a text without content) and where its first document's content must end."""

    text: str
    root: Node | None
    limit: int

    def line_start(self, offset: int) -> int:
        """Offset of the first character of the line that holds ``offset``."""
        return self.text.rfind("\n", 0, offset) + 1

    def line_end(self, offset: int) -> int:
        """Offset after the line break that ends the line holding ``offset``; the text's length on the last line."""
        found = self.text.find("\n", offset)
        return len(self.text) if found < 0 else found + 1

    def column(self, offset: int) -> int:
        """Characters between the line's start (a byte order mark not counted) and ``offset``."""
        start = self.line_start(offset)
        return offset - start - (1 if start == 0 and self.text.startswith(BOM) else 0)

    def find(self, *path: str | int) -> tuple[Node, Node] | None:
        """The (key, value) nodes at a path, or None; an item of a list stands for its key as well.

        Aliases and merges are not followed.
        """
        if self.root is None:
            return None
        here: tuple[Node, Node] = (self.root, self.root)
        for part in path:
            found = here[1].item(part) if isinstance(part, int) else here[1].child(part)
            if found is None:
                return None
            here = found
        return here


def read(text: str) -> Layout:
    """The layout of a YAML text with at most one document.

    Raises:
        EditRefused: not YAML, or several documents.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    shift = 1 if text.startswith(BOM) else 0
    root: Node | None = None
    limit = len(text)
    seen = 0
    try:
        events = iter(yaml.parse(text[shift:], Loader=loader))
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                seen += 1
                if seen > 1:
                    raise EditRefused("The file holds several YAML documents.", code="several_documents")
                root = _node(next(events), events, text, shift)
            elif isinstance(event, yaml.DocumentEndEvent) and event.explicit:
                limit = _index(event.start_mark) + shift
    except yaml.YAMLError as error:
        raise EditRefused(
            "The file is not valid YAML.", code="not_yaml", details={"problem": str(error)[:200]}
        ) from None
    if root is not None and root.kind == "scalar" and root.start == root.end:
        root = None
    return Layout(text, root, limit)


def _index(mark: Any) -> int:
    return int(mark.index)


def _node(event: Any, events: Iterator[Any], text: str, shift: int) -> Node:
    import yaml

    start, end = _index(event.start_mark) + shift, _index(event.end_mark) + shift
    if isinstance(event, yaml.AliasEvent):
        return Node("alias", start, end, event.anchor or "")
    decorated = event.anchor is not None or event.tag is not None
    if isinstance(event, yaml.ScalarEvent):
        if event.style in {"|", ">"}:
            end = _block_scalar_end(text, start, end)
        return Node("scalar", start, end, event.value, decorated=decorated)
    if isinstance(event, yaml.MappingStartEvent):
        node = Node("mapping", start, start, flow=bool(event.flow_style), decorated=decorated)
        closing: Any = yaml.MappingEndEvent
    else:
        node = Node("sequence", start, start, flow=bool(event.flow_style), decorated=decorated)
        closing = yaml.SequenceEndEvent
    while not isinstance(inner := next(events), closing):
        first = _node(inner, events, text, shift)
        if node.kind == "sequence":
            node.children.append((None, first))
            node.end = first.end
        else:
            value = _node(next(events), events, text, shift)
            node.children.append((first, value))
            node.end = max(first.end, value.end)
    if node.flow:
        node.end = _index(inner.end_mark) + shift
    return node


def _block_scalar_end(text: str, start: int, end: int) -> int:
    """The last place of a block scalar's content: blank lines after it count only where ``+`` keeps them."""
    line = text[start : text.find("\n", start)]
    body = text[start:end]
    if re.search(r"[|>][1-9]?\+", line):
        return start + len(body.rstrip(" \t").removesuffix("\n"))
    return start + len(body.rstrip(" \t\r\n"))
