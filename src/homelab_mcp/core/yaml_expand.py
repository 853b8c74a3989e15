"""What a YAML document would be with every alias written out: bounded before anything walks it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from yaml.nodes import MappingNode, Node, SequenceNode

from homelab_mcp.core.yaml_parse import Limits, YamlRefused, mark_of, too_deep

_ALIAS = re.compile(r"\*[\w-]")


def may_alias(text: str) -> bool:
    """False when no node of the text can stand in two places: ``*name`` is nowhere in it."""
    return _ALIAS.search(text) is not None


def check_expansion(root: Node, limits: Limits) -> None:
    """Refuse cycles, depth, and aliases that would grow past the budget. Linear in what is written out.

    Raises:
        YamlRefused: recursive_alias, too_deep, alias_expansion.
    """
    weight: dict[int, int] = {}
    height: dict[int, int] = {}
    open_nodes: set[int] = set()
    written = 0
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        me = id(node)
        children = _children(node)
        if done:
            open_nodes.discard(me)
            weight[me] = 1 + sum(weight[id(c)] for c in children)
            height[me] = 1 + max((height[id(c)] for c in children), default=0)
            if height[me] > limits.depth:
                raise too_deep(mark_of(node), limits)
        elif me in open_nodes:
            raise YamlRefused("recursive_alias", "an alias contains itself.", mark_of(node))
        elif me not in weight:
            if children is _NONE:
                weight[me] = 1 + len(node.value) // 64
                height[me] = 0
                written += weight[me]
            else:
                written += 1
                open_nodes.add(me)
                stack.append((node, True))
                stack.extend((c, False) for c in children)
    budget = limits.spare + 10 * written
    if weight[id(root)] > budget:
        mark = mark_of(_heaviest(root, weight))
        raise YamlRefused(
            "alias_expansion",
            f"aliases would expand these {written:,} nodes to {weight[id(root)]:,}.",
            mark,
            hint="Write it without anchors inside anchors.",
        )


_NONE: tuple[Node, ...] = ()


def _children(node: Node) -> Sequence[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    if isinstance(node, SequenceNode):
        return list(node.value)
    return _NONE


def _heaviest(root: Node, weight: dict[int, int]) -> Node:
    """The smallest part that carries most of the weight: where to look."""
    node = root
    while True:
        heavy = [c for c in _children(node) if weight[id(c)] * 2 > weight[id(node)]]
        if not heavy:
            return node
        node = heavy[0]
