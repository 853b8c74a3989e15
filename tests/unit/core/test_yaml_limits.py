"""What hostile YAML may cost: judged by counted nodes, before anything is expanded or even read."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml.nodes import Node, ScalarNode

from homelab_mcp.adapters.paths_reader import PathsReader
from homelab_mcp.core.yaml12 import DEFAULT, Limits, YamlRefused, load, load_nodes
from homelab_mcp.core.yaml_expand import check_expansion, may_alias
from homelab_mcp.core.yaml_parse import compose
from homelab_mcp.model.errors import InvalidInput


def refused(text: str, limits: Limits = DEFAULT) -> YamlRefused:
    with pytest.raises(YamlRefused) as caught:
        load(text, limits=limits)
    return caught.value


def test_a_bomb_is_refused_on_its_count_and_builds_nothing() -> None:
    lines = ["x0: &x0 [a, a, a, a, a, a, a, a, a]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 9)]
    text = "\n".join(lines)
    load("a: b")
    tracemalloc.start()
    error = refused(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.reason == "alias_expansion"
    # Written: a mapping, 9 keys, 9 lists, 9 words. Written out: 9 ** 9 words and the lists above them.
    assert error.sentence == "aliases would expand these 28 nodes to 490,329,064."
    assert peak < 2_000_000


def test_the_budget_is_ten_times_what_is_written_and_the_spare() -> None:
    # Written: the mapping, its 2 keys, two lists, ten items: 15. Each alias weighs the list and its items, 11.
    def text(aliases: int) -> str:
        return f"x: &x [{', '.join('abcdefghij')}]\ny: [{', '.join(['*x'] * aliases)}]\n"

    limits = Limits(spare=4)
    fits = (4 + 10 * 15 - 15) // 11
    assert load(text(fits), limits=limits)["y"] == [list("abcdefghij")] * fits
    assert refused(text(fits + 1), limits).reason == "alias_expansion"


def test_more_nodes_than_the_limit_are_refused_where_they_begin() -> None:
    limits = Limits(nodes=100)
    assert len(load("- abcd\n" * 99, limits=limits)) == 99
    error = refused("- abcd\n" * 150, limits)
    assert (error.reason, error.mark.line) == ("too_large", 100)


def test_aliases_count_as_nodes() -> None:
    assert refused("a: &a 1\nb: [" + "*a, " * 150 + "]", Limits(nodes=100)).reason == "too_large"


def test_many_repeated_keys_are_told_in_the_time_it_takes_to_read_them() -> None:
    # Were each looked for among those above, this would take minutes.
    document = load_nodes("a: b\n" * 24_000, allow_duplicates=True)
    assert len(document.duplicates) == 23_999
    assert (document.duplicates[-1].first.line, document.duplicates[-1].second.line) == (23_999, 24_000)


@pytest.mark.parametrize(
    "text",
    ["[" * 5 + "]" * 5, "a: {b: {c: {d: {}}}}", "a:\n  <<: {b: {c: {}}}\nd: {e: {f: {g: {}}}}", "<<: [{a: {b: {}}}]"],
)
def test_depth_counts_the_same_with_and_without_aliases(text: str) -> None:
    assert load(text, limits=Limits(depth=5)) is not None
    plain = refused(text, Limits(depth=4))
    root = compose(text, DEFAULT)
    assert root is not None
    with pytest.raises(YamlRefused) as walked:
        check_expansion(root, Limits(depth=4))
    assert (plain.reason, plain.mark, plain.sentence) == ("too_deep", walked.value.mark, walked.value.sentence)


def test_a_broken_limit_is_told_before_a_bad_key() -> None:
    assert refused("? [a]\n: b\nc: [[[[]]]]\n", Limits(depth=3)).reason == "too_deep"


@given(
    st.lists(
        st.sampled_from(["&a ", "*a", "&b ", "*b", "a", ": ", ", ", "[", "]", "{", "}", "- ", "\n", "'", "&", "*"])
    )
)
def test_no_node_stands_in_two_places_where_the_text_has_no_alias(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        root = compose(text, DEFAULT)
    except YamlRefused:
        return
    if root is not None and _shares(root, set()):
        assert may_alias(text)


def _shares(node: Node, seen: set[int]) -> bool:
    if id(node) in seen:
        return True
    seen.add(id(node))
    if isinstance(node, ScalarNode):
        return False
    return any(_shares(part, seen) for item in node.value for part in (item if isinstance(item, tuple) else (item,)))


def test_fifty_megabytes_are_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    with file.open("wb") as handle:
        handle.truncate(50 * 1024**2)
    text = "x: y\n" * 10_000_000
    tracemalloc.start()
    with pytest.raises(InvalidInput) as on_disk:
        PathsReader().read(str(file))
    pasted = refused(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert on_disk.value.code == "too_large"
    assert pasted.reason == "too_large"
    assert peak < 100_000
