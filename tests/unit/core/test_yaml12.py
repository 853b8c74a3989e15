"""YAML as Compose reads it, and hostile YAML refused at once."""

from __future__ import annotations

import math
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.core.yaml12 import Limits, Mark, YamlRefused, load, load_nodes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("017", 15),
        ("0o17", 15),
        ("0o8", "0o8"),
        ("08", 8.0),
        ("0x1F", 31),
        ("0b11", 3),
        ("-12", -12),
        ("+12", 12),
        ("1_000", 1000),
        ("_1", "_1"),
        ("22:22", "22:22"),
        ("1:30:00", "1:30:00"),
        ("2020-01-01", "2020-01-01"),
        ("3.8", 3.8),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1e", "1e"),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("'true'", "true"),
        ('"017"', "017"),
        ("!!str 017", "017"),
        ("!!int '17'", 17),
        ("!reset null", None),
        ("|\n  true\n", "true\n"),
        ("0", 0),
        ("-", [None]),
    ],
)
def test_scalars_mean_what_they_mean_to_compose(text: str, value: object) -> None:
    loaded = load(text)
    assert loaded == value
    assert type(loaded) is type(value)


def test_nan_is_a_float() -> None:
    assert math.isnan(load(".nan"))


def test_merge_keys_keep_own_values_and_the_earlier_merge() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: own\nd:\n  x: own\n  <<: *b\n"
    loaded = load(text)
    assert loaded["c"] == {"x": "own", "y": 1, "z": 2}
    assert loaded["d"] == {"x": "own", "y": 2, "z": 2}


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert load("'<<': 1") == {"<<": 1}


def test_an_anchor_may_be_defined_again() -> None:
    assert load("a: &x 1\nb: *x\nc: &x [2]\nd: *x\n") == {"a": 1, "b": 1, "c": [2], "d": [2]}


def test_aliases_give_values_of_their_own() -> None:
    loaded = load("a: &x [1]\nb: *x\n")
    loaded["a"].append(2)
    assert loaded["b"] == [1]


def test_a_byte_order_mark_and_an_empty_text() -> None:
    assert load("\ufeffa: 1") == {"a": 1}
    assert load("# only a comment\n") is None


def refused(text: str, **limits: int) -> YamlRefused:
    with pytest.raises(YamlRefused) as caught:
        load(text, limits=Limits(**limits))
    error = caught.value
    assert error.details["line"] == error.mark.line
    assert f"Line {error.mark.line}, column {error.mark.column}" in error.message
    assert error.code == "yaml_refused"
    return error


def test_a_duplicate_key_is_refused_with_both_places() -> None:
    error = refused("services:\n  a:\n    image: x\n    image: y\n")
    assert error.reason == "duplicate_key"
    assert error.mark == Mark(4, 5)
    assert "line 3, column 5" in error.message


def test_duplicates_can_be_listed_instead() -> None:
    document = load_nodes("a: 1\na: 2\nb: {c: 1, c: 2}\n", allow_duplicates=True)
    assert document.data == {"a": 2, "b": {"c": 2}}
    assert [(d.key, d.first.line, d.second.column) for d in document.duplicates] == [("a", 1, 1), ("c", 3, 11)]


@pytest.mark.parametrize(
    ("text", "reason", "line", "column"),
    [
        ("a:\n\t- b\n", "syntax", 2, 1),
        ("a: b: c\n", "syntax", 1, 5),
        ("a: 1\nb: [1,\n", "syntax", 3, 1),
        ("a: *gone\n", "syntax", 1, 4),
        ("a: &a [*a]\n", "recursive_alias", 1, 4),
        ("a: 1\nb: x\x07y\n", "control_character", 2, 5),
        ("a: \ud800\n", "control_character", 1, 4),
        ("a: 1\n---\nb: 2\n", "multiple_documents", 2, 1),
        ("? [a, b]\n: 1\n", "bad_key", 1, 3),
        ("a:\n  <<: text\n", "bad_merge", 2, 3),
    ],
)
def test_what_is_refused_says_where_and_why(text: str, reason: str, line: int, column: int) -> None:
    error = refused(text)
    assert (error.reason, error.mark) == (reason, Mark(line, column))


def test_tabs_get_a_hint() -> None:
    assert "spaces" in refused("a:\n\tb: 1\n").hint


def bomb(levels: int, width: int = 9) -> str:
    lines = [f"a0: &a0 [{','.join('x' * width)}]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize("levels", [7, 9, 40])
def test_an_alias_bomb_is_refused_in_50_ms_and_50_mb(levels: int) -> None:
    text = bomb(levels)
    load("warm: up")
    assert refused(text).reason == "alias_expansion"
    # The least of a few, in this process's own time: what the machine does beside it is not the point.
    assert min(processor_seconds(text) for _ in range(5)) < 0.05
    tracemalloc.start()
    try:
        refused(text)
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()


def processor_seconds(text: str) -> float:
    started = time.process_time()
    refused(text)
    return time.process_time() - started


def test_a_bomb_of_merges_and_one_of_long_text_are_refused() -> None:
    merges = "a0: &a0 {k: v}\n" + "".join(
        f"a{n}: &a{n} {{x: {{<<: *a{n - 1}}}, y: {{<<: *a{n - 1}}}}}\n" for n in range(1, 25)
    )
    assert refused(merges).reason == "alias_expansion"
    long = "a: &a " + "x" * 100_000 + "\nb: [" + ",".join(["*a"] * 5_000) + "]\n"
    assert refused(long).reason == "alias_expansion"


def test_honest_anchors_in_a_large_file_work() -> None:
    common = "x-common: &common\n  restart: unless-stopped\n  logging: {driver: json-file, options: {max-size: 10m}}\n"
    services = "".join(f"  s{n}:\n    <<: *common\n    image: i:{n}\n" for n in range(2_000))
    loaded = load(f"{common}services:\n{services}")
    assert loaded["services"]["s1999"]["logging"]["options"]["max-size"] == "10m"


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "[" * 500 + "]" * 500]
)
def test_depth_is_bounded_without_recursion(text: str) -> None:
    started = time.process_time()
    assert refused(text).reason in {"too_deep", "syntax"}
    assert time.process_time() - started < 1


def test_forty_levels_are_honest() -> None:
    text = "\n".join("  " * n + f"k{n}:" for n in range(40)) + " leaf"
    loaded = load(text)
    for n in range(40):
        loaded = loaded[f"k{n}"]
    assert loaded == "leaf"


def test_an_oversized_text_is_refused_before_it_is_read() -> None:
    text = "a: 1\n" * 10_000_000
    started = time.process_time()
    assert refused(text).reason == "too_large"
    assert time.process_time() - started < 0.05


def test_places_of_keys_and_values_through_merges() -> None:
    document = load_nodes("x: &x\n  ports:\n    - 80:80\nservices:\n  a:\n    <<: *x\n    image: 'i'\n    7: seven\n")
    assert document.mark(("services", "a", "ports", 0)) == Mark(3, 7)
    assert document.key_mark(("services", "a", "image")) == Mark(7, 5)
    assert document.mark(("services", "a", "image")) == Mark(7, 12)
    assert document.key_mark(("services", "a", 7)) == Mark(8, 5)
    assert document.is_plain(("services", "a", "ports", 0))
    assert not document.is_plain(("services", "a", "image"))


def test_a_place_that_is_not_there_gives_its_nearest_parent() -> None:
    document = load_nodes("services:\n  a:\n    image: i\n")
    assert document.mark(("services", "a", "ports", 3)) == Mark(3, 5)
    assert document.mark(("nothing",)) == Mark(1, 1)


@given(st.text(max_size=200))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        load(text)
    except YamlRefused as error:
        assert error.mark.line >= 1


@given(st.text(alphabet="ab:-[]{}&*<>|!#'\"\n ,?%~0\t", max_size=60))
def test_no_yaml_like_text_raises_anything_else(text: str) -> None:
    try:
        load(text)
    except YamlRefused as error:
        assert error.mark.column >= 1
