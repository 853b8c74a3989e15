"""A compose text as fixes see it: each node by its place and by its path, and how a scalar is written anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from homelab_mcp.core.yaml12 import Document, Path, load_nodes, scalar_value
from homelab_mcp.core.yaml_layout import BOM, Node
from homelab_mcp.core.yaml_span import layout_of
from homelab_mcp.model.errors import EditRefused

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_DECORATION = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]+)*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
# What YAML 1.1 readers (PyYAML, older editors) take for something else than text.
_OLD_WORDS = re.compile(r"(?:y|n|yes|no|on|off)\Z", re.IGNORECASE)
_OLD_NUMBER = re.compile(r"[-+]?[0-9][0-9_,.]*(?::[0-5]?[0-9])+(?:\.[0-9]*)?\Z|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
_NOT_FIRST = frozenset(",[]{}#&*!|>'\"%@` ")


@dataclass(frozen=True, slots=True)
class Slot:
    """One node: its path as written, its key (None in a list), itself, its number in its parent, and if in ``{}``."""

    path: Path
    key: Node | None
    value: Node
    index: int
    flow: bool


class Source:
    """A text that can be read, with its data and the place of everything.

    Raises:
        YamlRefused: it cannot be read.
        EditRefused: it can be read, but not edited (see :mod:`homelab_mcp.core.yaml_layout`).
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.document: Document = load_nodes(text, allow_duplicates=True)
        self.layout = layout_of(text)
        self._by_key: dict[int, Slot] = {}
        self._by_value: dict[int, Slot] = {}
        self._by_path: dict[Path, Slot] = {}
        self._shift = len(text) - len(text.removeprefix(BOM))
        self._lines = [self._shift, *(m.end() for m in _BREAK.finditer(text))]
        if self.layout.root is not None:
            self._add(Slot((), None, self.layout.root, 0, False))

    @property
    def data(self) -> Any:
        """What it means, variables not put in."""
        return self.document.data

    def _add(self, slot: Slot) -> None:
        if slot.key is not None:
            self._by_key.setdefault(slot.key.start, slot)
        self._by_value.setdefault(slot.value.start, slot)
        self._by_path[slot.path] = slot
        flow = slot.flow or slot.value.flow
        for n, (key, value) in enumerate(slot.value.children):
            step = n if key is None else key.text
            self._add(Slot((*slot.path, step), key, value, n, flow))

    def at(self, path: Path) -> Slot | None:
        """What is written at a path itself (aliases and merges are not followed); of a key twice the last."""
        return self._by_path.get(path)

    def key_at(self, line: int, column: int) -> Slot | None:
        """The entry whose key begins at a finding's place."""
        return self._by_key.get(self._offset(line, column))

    def value_at(self, line: int, column: int) -> Slot | None:
        """The item or the entry whose value begins at a finding's place."""
        return self._by_value.get(self._offset(line, column))

    def _offset(self, line: int, column: int) -> int:
        return self._lines[line - 1] + column - 1 if 0 < line <= len(self._lines) else -1

    def origin(self, path: Path) -> tuple[int, Any] | None:
        """Where a path is really written, the same for all aliases and merges of it; a new one: where it would be."""
        found = self.document.find(path)
        if found is not None:
            return (found[0] or found[1]).start_mark.index, None
        parent = self.document.find(path[:-1]) if path else None
        return None if parent is None else (parent[1].start_mark.index, path[-1])

    def written(self, slot: Slot, value: str) -> str:
        """The text with a scalar's content put in, quoted as it was where that can be.

        Raises:
            EditRefused: it is no scalar on one line.
        """
        start, end = slot.value.start, slot.value.end
        if slot.value.kind != "scalar" or start == end:
            raise EditRefused("That is no text on one line.", code="not_a_scalar")
        return self._put(slot.value, _scalar_like(self._body(slot.value), value, flow=slot.flow))

    def quoted(self, node: Node) -> str:
        """The text with a plain scalar in quotes, its characters as they are."""
        body = self._body(node)
        if body[:1] in {"'", '"'}:
            raise EditRefused("It is in quotes already.", code="quoted")
        return self._put(node, single_quoted(body))

    def keyed(self, slot: Slot, name: str) -> str:
        """The text with an entry's key renamed."""
        if slot.key is None or slot.key.kind != "scalar":
            raise EditRefused("That is no key.", code="not_a_key")
        return self._put(slot.key, _scalar_like(self._body(slot.key), name, flow=slot.flow))

    def _body(self, node: Node) -> str:
        """The scalar without its anchor and tag."""
        raw = self.text[node.start : node.end]
        match = _DECORATION.match(raw)
        body = raw[match.end() if match else 0 :]
        if not body or _BREAK.search(body) or body[0] in "|>*":
            raise EditRefused("That is no text on one line.", code="not_a_scalar")
        return body

    def _put(self, node: Node, body: str) -> str:
        start = node.end - len(self._body(node))
        return self.text[:start] + body + self.text[node.end :]


@lru_cache(maxsize=8)
def source_of(text: str) -> Source | None:
    """The text as a source; None where it cannot be read or edited."""
    from homelab_mcp.model.errors import HomelabError

    try:
        return Source(text)
    except HomelabError:
        return None


def single_quoted(value: str) -> str:
    """A YAML single-quoted scalar."""
    if _CONTROL.search(value):
        raise EditRefused("The value has control characters.", code="not_a_scalar")
    return "'" + value.replace("'", "''") + "'"


def _scalar_like(body: str, value: str, *, flow: bool) -> str:
    if _CONTROL.search(value):
        raise EditRefused("The value has control characters.", code="not_a_scalar")
    if body.startswith('"'):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if body.startswith("'") or not is_plain(value, flow=flow):
        return single_quoted(value)
    return value


def is_plain(value: str, *, flow: bool) -> bool:
    """Whether a text can stand without quotes and is a text to every YAML reader."""
    if not value or value[0] in _NOT_FIRST or value[-1] in " :" or (value[0] in "-?:" and value[1:2] in {"", " "}):
        return False
    if ": " in value or " #" in value or "\t" in value or value.startswith(("---", "...", "<<")):
        return False
    if flow and re.search(r"[,\[\]{}]|:(?=[,\[\]{}]|$)|[?:]", value):
        return False
    ambiguous = _OLD_WORDS.match(value) or _OLD_NUMBER.match(value)
    return isinstance(scalar_value(value), str) and not ambiguous
