"""YAML text to nodes, within bounds: the part of :mod:`homelab_mcp.core.yaml12` that faces hostile input."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from homelab_mcp.core.yaml_quotes import is_never_closed, never_closed
from homelab_mcp.model.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may cost.

    Args:
        size: characters of text.
        depth: nesting of mappings and sequences.
        nodes: keys, values, mappings and sequences written out, aliases too.
        spare: nodes (64 characters of a scalar count as one more) that aliases may add, beyond ten times what is
            written out.
    """

    size: int = 2 * 1024 * 1024
    depth: int = 64
    nodes: int = 50_000
    spare: int = 10_000


DEFAULT = Limits()


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text; ``line`` and ``column`` count from 1."""

    line: int
    column: int


class YamlRefused(InvalidInput):
    """The text is not YAML, or YAML that nobody should expand.

    ``details`` has ``line`` and ``column`` (from 1) and ``reason``: syntax, control_character, duplicate_key,
    too_large, too_deep, alias_expansion, recursive_alias, bad_key, bad_merge or multiple_documents.
    """

    default_code = "yaml_refused"

    def __init__(self, reason: str, sentence: str, mark: Mark, *, hint: str = "") -> None:
        super().__init__(
            f"Line {mark.line}, column {mark.column}: {sentence}",
            hint=hint,
            details={"line": mark.line, "column": mark.column, "reason": reason},
        )
        self.reason = reason
        self.sentence = sentence
        self.mark = mark


def mark_of(node: Node) -> Mark:
    """Where a node begins."""
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


# --- text -----------------------------------------------------------------------------------------------------------

# YAML 1.2 section 5.1, printable characters; everything else is refused by the reader anyway, without a line.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_text(text: str, limits: Limits) -> None:
    """Refuse a text that is too long or has characters YAML does not know.

    Raises:
        YamlRefused: too_large, control_character.
    """
    if len(text) > limits.size:
        sentence = f"the text has {len(text):,} characters; {limits.size:,} are read at most."
        raise YamlRefused("too_large", sentence, Mark(1, 1))
    bad = None if text.isascii() and text.replace("\n", "").isprintable() else _UNPRINTABLE.search(text)
    if bad:
        raise YamlRefused(
            "control_character",
            f"the character U+{ord(bad.group()):04X} is not allowed in YAML.",
            _mark_at(text, bad.start()),
            hint="Remove it, or write it as an escape in double quotes.",
        )


def _mark_at(text: str, index: int) -> Mark:
    line = text.count("\n", 0, index) + 1
    return Mark(line, index - (text.rfind("\n", 0, index) + 1) + 1)


# --- nodes ----------------------------------------------------------------------------------------------------------

# Seen with go-yaml v3: only 1.1 is taken, though it reads much as 1.2 does.
_OTHER_VERSION = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n|%(?!YAML)[^\n]*\n)*(%YAML[ \t]+(?!1\.1\b)[0-9]+\.[0-9]+)")
PLAIN = "plain"
QUOTED = "quoted"
# Below this many levels the C composer, which recurses, is far from the end of its stack.
_SAFE_NESTING = 1000


class _Parser(CParser):
    """The C composer, with tags left to :mod:`homelab_mcp.core.yaml12`."""

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> str:
        return PLAIN if kind is ScalarNode and implicit[0] else QUOTED

    # Asked for each node with (parent, index) and with nothing, for nothing: the cheapest callables that take these.
    descend_resolver = staticmethod(operator.is_)
    ascend_resolver = staticmethod(bool)


def compose(text: str, limits: Limits) -> Node | None:
    """The text's root node, None where there is none. Tags of untagged scalars are PLAIN or QUOTED.

    Raises:
        YamlRefused: syntax, too_deep, multiple_documents.
    """
    other = _OTHER_VERSION.match(text) if "%YAML" in text else None
    if other:
        hint = "Take the '%YAML' line out: Compose, Docker and Traefik read no file that says another version than 1.1."
        raise YamlRefused("syntax", "found incompatible YAML document.", _mark_at(text, other.start(1)), hint=hint)
    parser = _Parser(text)
    try:
        if len(text) <= 2 * limits.nodes and _deepest(text) <= _SAFE_NESTING:
            try:
                return parser.get_single_node()
            except yaml.composer.ComposerError as error:
                if "duplicate anchor" not in str(error.context) and "undefined alias" not in str(error.problem):
                    raise
            parser.dispose()
            parser = _Parser(text)
        return _compose_events(parser, limits)
    except yaml.composer.ComposerError as error:
        if "single document" in str(error.context):
            raise _multiple(_mark_in(error)) from error
        raise _syntax(error, text) from error
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text) from error
    except yaml.YAMLError as error:
        raise YamlRefused("syntax", f"not YAML: {error}.", Mark(1, 1)) from error
    finally:
        parser.dispose()


def _deepest(text: str) -> int:
    """More levels than the text can have, told without parsing it.

    Each needs its own bracket or a column further right, but for a sequence at its parent key's column. A block's
    column is where its line's indentation ends, the marks of lists and keys on the way included.
    """
    lines = text.splitlines()
    brackets = text.count("[") + text.count("{")
    bound = brackets + 2 * max(map(len, lines), default=0)
    if bound <= _SAFE_NESTING:
        return bound
    return brackets + 2 * max(len(line) - len(line.lstrip(" \t?:-")) for line in lines)


def _compose_events(parser: _Parser, limits: Limits) -> Node | None:
    """Compose without recursion: slower, but stops at the limits and lets an anchor be defined again."""
    anchors: dict[str, Node] = {}
    stack: list[tuple[Node, list[Any]]] = []
    root: Node | None = None
    documents = nodes = 0
    while True:
        event = parser.get_event()
        if event is None or isinstance(event, yaml.StreamEndEvent):
            return root
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _multiple(_event_mark(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            node, items = stack.pop()
            node.value = items if isinstance(node, SequenceNode) else list(zip(items[::2], items[1::2], strict=True))
        elif isinstance(event, yaml.NodeEvent):
            node = _node_of(event, anchors)
            nodes += 1
            if nodes > limits.nodes:
                sentence = f"more than {limits.nodes:,} keys and values are written in it."
                raise YamlRefused("too_large", sentence, _event_mark(event))
            if stack:
                stack[-1][1].append(node)
            else:
                root = node
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append((node, []))
                if len(stack) > limits.depth:
                    raise too_deep(_event_mark(event), limits)


def _node_of(event: Any, anchors: dict[str, Node]) -> Node:
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            raise YamlRefused("syntax", f"found undefined alias {event.anchor!r}.", _event_mark(event))
        return anchors[event.anchor]
    node: Node
    start, end = event.start_mark, event.end_mark
    if isinstance(event, yaml.ScalarEvent):
        tag = event.tag if event.tag not in (None, "!") else (PLAIN if event.implicit[0] else QUOTED)
        node = ScalarNode(tag, event.value, start, end, style=event.style)
    else:
        kind = SequenceNode if isinstance(event, yaml.SequenceStartEvent) else MappingNode
        node = kind(event.tag or QUOTED, [], start, end)
    if event.anchor:
        anchors[event.anchor] = node
    return node


# --- errors ---------------------------------------------------------------------------------------------------------


def _event_mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


_BEGINS_BEFORE = ("could not find expected ':'", "found unexpected end of stream")
"""Problems that the parser notices further down: a line without its colon, a quote that is never closed."""


def _mark_in(error: yaml.MarkedYAMLError) -> Mark:
    mark = error.problem_mark or error.context_mark
    if str(error.problem) in _BEGINS_BEFORE:
        mark = error.context_mark or mark
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


def _multiple(mark: Mark) -> YamlRefused:
    return YamlRefused("multiple_documents", "a second document begins here.", mark)


def too_deep(mark: Mark, limits: Limits) -> YamlRefused:
    """The refusal of a nest that begins at the mark."""
    return YamlRefused("too_deep", f"nested more than {limits.depth} levels deep.", mark)


_ENTRY = re.compile(r"[ ]*(?:- )?[^\s#&*!|>'\"%@`\[\]{}-][^#'\"\[\]{}]*")


def _without_colon(text: str, mark: Mark) -> Mark | None:
    """Where a mapping's entry without its colon stands, above the colon of the next one that the parser stumbled over.

    The two lines are one scalar to YAML: that begins in the column in which the next entry stands.
    """
    lines = text.split("\n")
    here = lines[mark.line - 1] if mark.line <= len(lines) else ""
    n = mark.line - 2
    while n >= 0 and not lines[n].strip():
        n -= 1
    above = lines[n] if n >= 0 else ""
    column = len(above) - len(above.lstrip(" "))
    if column != len(here) - len(here.lstrip(" ")) or not _ENTRY.fullmatch(above.rstrip()):
        return None
    return None if re.search(r":(?:\s|$)", above) else Mark(n + 1, column + 1)


def _syntax(error: yaml.MarkedYAMLError, text: str) -> YamlRefused:
    problem = str(error.problem or error.context or "not YAML")
    hint = ""
    mark = _mark_in(error)
    if quote := never_closed(text, mark.line):
        return YamlRefused("syntax", "a quote begins here and is never closed on its line.", Mark(*quote))
    begun = error.context_mark if "parsing a flow" in str(error.context) else None
    if begun and begun.line + 1 < mark.line and is_never_closed(text, mark.line):
        at = Mark(begun.line + 1, begun.column + 1)
        return YamlRefused("syntax", "a bracket begins here and is never closed.", at)
    if "mapping values are not allowed" in problem and (before := _without_colon(text, mark)):
        return YamlRefused(
            "syntax", "here a ':' with a blank behind it is missing.", before, hint="Write 'key: value'."
        )
    if "'\\t'" in problem or "cannot start any token" in problem:
        hint = "Indent with spaces, never tabs; quote a value that begins with a special character."
    elif "mapping values are not allowed" in problem:
        hint = "Quote a value that has ': ' in it, or check the indentation above."
    context = f" ({error.context})" if error.context and error.context != problem else ""
    return YamlRefused("syntax", f"{problem}{context}.", mark, hint=hint)
