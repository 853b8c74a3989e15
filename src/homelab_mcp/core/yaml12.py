"""Reading YAML safely, with the meaning Docker Compose gives it.

Compose reads YAML with go-yaml v3, which follows the YAML 1.2 core schema with a few older allowances. Where the two
differ this module follows Compose (seen with Compose 2.40.3):

* ``true``/``True``/``TRUE`` and the same for false are the only booleans; ``no``, ``on``, ``yes`` are strings.
* ``0o17``, ``0x1F``, ``0b11`` and also ``017`` (octal, as in YAML 1.1) are integers; ``1_000`` is 1000; ``08`` is 8.0.
* ``22:22`` is a string, never a sexagesimal number.
* merge keys (``<<``) work; a key of the mapping itself wins over a merged one, an earlier merge over a later one.
* an anchor may be defined again; an alias then means the last definition before it.
* dates stay strings here; Compose turns them into times and then refuses them (a lint rule says so).

Before anything walks the document, its size, depth and *expanded* size (what it would be with every alias written
out) are bounded: some 300 bytes of nested aliases otherwise grow to gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from homelab_mcp.core.yaml_expand import check_expansion, may_alias
from homelab_mcp.core.yaml_parse import (
    DEFAULT,
    PLAIN,
    QUOTED,
    Limits,
    Mark,
    YamlRefused,
    check_text,
    compose,
    mark_of,
)

__all__ = [
    "DEFAULT",
    "Document",
    "Duplicate",
    "Limits",
    "Mark",
    "Path",
    "YamlRefused",
    "load",
    "load_nodes",
    "scalar_value",
]

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A key that a mapping has twice, and both places."""

    key: str
    first: Mark
    second: Mark


_Index = dict[int, tuple[dict[Any, tuple[Node, Node]], list[Node]]]
"""A mapping node's id to its entries by key, and what it merges."""


class Document:
    """One YAML document: its ``data`` (plain Python values) and the place of every node in it.

    ``root`` is None for an empty text. ``duplicates`` is filled only when they were allowed; the last one then wins.
    """

    __slots__ = ("_index", "data", "duplicates", "root", "text")

    def __init__(self, text: str, root: Node | None, data: Any, duplicates: tuple[Duplicate, ...]) -> None:
        self.text = text
        self.root = root
        self.data = data
        self.duplicates = duplicates
        self._index: _Index = {}

    def find(self, path: Sequence[str | int]) -> tuple[Node | None, Node] | None:
        """(key node or None, value node) at the path, through merges and aliases; None where there is nothing."""
        if self.root is None:
            return None
        key: Node | None = None
        node = self.root
        for step in path:
            found = _child(node, step, self._index)
            if found is None:
                return None
            key, node = found
        return key, node

    def mark(self, path: Sequence[str | int]) -> Mark:
        """Where the value at the path begins; of a path that is not there, its nearest parent that is."""
        for end in range(len(path), -1, -1):
            found = self.find(path[:end])
            if found is not None:
                return mark_of(found[1])
        return Mark(1, 1)

    def key_mark(self, path: Sequence[str | int]) -> Mark:
        """Where the key at the path begins (the item itself in a sequence); else as :meth:`mark`."""
        found = self.find(path)
        if found is None:
            return self.mark(path)
        return mark_of(found[0] or found[1])

    def is_plain(self, path: Sequence[str | int]) -> bool:
        """True when the path leads to a scalar written without quotes."""
        found = self.find(path)
        return found is not None and isinstance(found[1], ScalarNode) and not found[1].style


def load(text: str, *, limits: Limits = DEFAULT) -> Any:
    """Plain Python values of a YAML text; None for an empty one.

    Raises:
        YamlRefused: the text is not YAML, has a key twice, or breaks a limit.
    """
    return load_nodes(text, limits=limits).data


def load_nodes(text: str, *, limits: Limits = DEFAULT, allow_duplicates: bool = False) -> Document:
    """A YAML text with the place of every node. With ``allow_duplicates`` they are listed instead of refused.

    Raises:
        YamlRefused: as :func:`load`.
    """
    text = text.removeprefix("\ufeff")
    check_text(text, limits)
    root = compose(text, limits)
    if root is None:
        return Document(text, None, None, ())
    if may_alias(text):
        check_expansion(root, limits)
    duplicates: list[Duplicate] = []
    try:
        data = _construct(root, duplicates, limits.depth)
    except YamlRefused:
        # A broken limit is told before anything else, and where the whole nest begins.
        check_expansion(root, limits)
        raise
    # A mapping behind an alias is constructed once per use, its duplicates are the same.
    unique = tuple(dict.fromkeys(duplicates))
    if unique and not allow_duplicates:
        first = unique[0]
        raise YamlRefused(
            "duplicate_key",
            f"the key {first.key!r} is already defined at line {first.first.line}, column {first.first.column}.",
            first.second,
            hint="Keep one of the two.",
        )
    return Document(text, root, data, unique)


# --- values ---------------------------------------------------------------------------------------------------------

_PREFIX = "tag:yaml.org,2002:"
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
}
_NUMERIC = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9][0-9]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = {
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **{word: float("nan") for word in (".nan", ".NaN", ".NAN")},
}


_NOT_ONLY_TEXT = frozenset("0123456789+-.tTfFnN~") | {""}  # how something else than text may begin


def scalar_value(text: str) -> Any:
    """What an unquoted scalar means to Compose: None, bool, int, float or str."""
    if not text:
        return None
    first = text[0]
    if first in _NUMERIC:
        return _number(text)
    return _WORDS.get(text, text) if first in "tTfFnN~" else text


def _number(text: str) -> Any:
    plain = text.replace("_", "")
    if len(plain) > 400:  # beyond any number a compose file means; int() of such a text is slow
        return text
    if _INTEGER.fullmatch(plain):
        sign = -1 if plain[0] == "-" else 1
        digits = plain.lstrip("+-")
        if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
            return sign * int(digits, 8)
        return sign * int(digits, 0)
    if _FLOAT.fullmatch(plain):
        return float(plain)
    return _SPECIAL.get(text, text)


def _construct(node: Node, duplicates: list[Duplicate], room: int) -> Any:
    """The node's value; ``room`` is how many levels it may have."""
    if type(node) is ScalarNode:
        return _scalar(node)
    if room <= 0:
        raise YamlRefused("too_deep", "nested too deeply.", mark_of(node))
    if type(node) is SequenceNode:
        return [
            _scalar(item) if type(item) is ScalarNode else _construct(item, duplicates, room - 1) for item in node.value
        ]
    result: dict[Any, Any] = {}
    seen: dict[Any, Node] = {}
    merges: list[tuple[Node, Node]] = []
    merge: Node | None = None
    for key_node, value_node in node.value:
        if type(key_node) is not ScalarNode:
            raise YamlRefused("bad_key", "a key must be a single word or text.", mark_of(key_node))
        key = _scalar(key_node)
        if key == "<<" and _is_merge(key_node):
            if merge is not None:
                duplicates.append(Duplicate(key, mark_of(merge), mark_of(key_node)))
            merge = key_node
            merges.append((key_node, value_node))
            continue
        if key in seen:
            duplicates.append(Duplicate(key_node.value, mark_of(seen[key]), mark_of(key_node)))
        seen[key] = key_node
        result[key] = (
            _scalar(value_node) if type(value_node) is ScalarNode else _construct(value_node, duplicates, room - 1)
        )
    for asking, source in merges:
        for part in _merged(source, asking):
            left = room - (1 if part is source else 2)
            for key, value in _construct(part, duplicates, left).items():
                result.setdefault(key, value)
    return result


def _scalar(node: ScalarNode) -> Any:
    tag = node.tag
    if tag == PLAIN:
        return scalar_value(node.value) if node.value[:1] in _NOT_ONLY_TEXT else node.value
    if tag == QUOTED:
        return node.value
    if not tag.startswith(_PREFIX):
        # A tag of Compose's own (!reset, !override): the value is read as it is written.
        return node.value if node.style else scalar_value(node.value)
    if tag.removeprefix(_PREFIX) in {"int", "float", "bool", "null"}:
        return scalar_value(node.value)
    return node.value


def _is_merge(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value == "<<" and not node.style


def _merged(source: Node, asking: Node | None = None) -> Iterator[MappingNode]:
    """The mappings that a ``<<`` takes in; ``asking`` is that key, which is to blame where it takes something else."""
    parts = source.value if isinstance(source, SequenceNode) else [source]
    for part in parts:
        if not isinstance(part, MappingNode):
            raise YamlRefused("bad_merge", "'<<' takes a mapping or a list of mappings.", mark_of(asking or part))
        yield part


def _child(node: Node, step: str | int, index: _Index) -> tuple[Node | None, Node] | None:
    if isinstance(node, SequenceNode):
        if isinstance(step, int) and 0 <= step < len(node.value):
            return None, node.value[step]
        return None
    if not isinstance(node, MappingNode):
        return None
    # Looked up for each service by each rule: going through all keys each time would take the square of their number.
    if id(node) not in index:
        index[id(node)] = _keys(node)
    keys, merges = index[id(node)]
    found = keys.get(step)
    if found is not None:
        return found
    for source in merges:
        for part in _merged(source):
            inherited = _child(part, step, index)
            if inherited is not None:
                return inherited
    return None


def _keys(node: MappingNode) -> tuple[dict[Any, tuple[Node, Node]], list[Node]]:
    """A mapping's entries by their keys, as written and as meant (the last one wins), and what it merges."""
    keys: dict[Any, tuple[Node, Node]] = {}
    merges: list[Node] = []
    for key_node, value_node in node.value:
        if _is_merge(key_node):
            merges.append(value_node)
        elif isinstance(key_node, ScalarNode):
            for name in (key_node.value, _scalar(key_node)):
                keys[name] = key_node, value_node
    return keys, merges
