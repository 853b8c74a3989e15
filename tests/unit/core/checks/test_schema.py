"""The schema layer agrees with the jsonschema package, on models that are valid and on models that are not."""

from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core.checks.schema import problems, schema

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,7}", fullmatch=True)
WORDS = st.from_regex(r"[a-z0-9./:-]{1,12}", fullmatch=True)
SERVICE = st.fixed_dictionaries(
    {"image": WORDS},
    optional={
        "restart": WORDS,
        "environment": st.dictionaries(
            NAMES, st.one_of(WORDS, st.integers(0, 9), st.none(), st.booleans()), max_size=3
        ),
        "ports": st.lists(st.one_of(st.integers(1, 99), WORDS, st.just({"target": 80})), max_size=3, unique_by=str),
        "labels": st.lists(WORDS, max_size=3, unique=True),
        "privileged": st.booleans(),
        "healthcheck": st.fixed_dictionaries({"test": st.one_of(WORDS, st.lists(WORDS, min_size=1, max_size=3))}),
        "deploy": st.fixed_dictionaries({"replicas": st.integers(0, 5)}),
        "depends_on": st.dictionaries(NAMES, st.just({"condition": "service_healthy"}), max_size=2),
        "ulimits": st.dictionaries(NAMES, st.integers(0, 9), max_size=2),
        "x-more": WORDS,
    },
)
MODELS = st.fixed_dictionaries(
    {"services": st.dictionaries(NAMES, SERVICE, max_size=3)},
    optional={
        "networks": st.dictionaries(NAMES, st.one_of(st.none(), st.just({"external": True})), max_size=2),
        "volumes": st.dictionaries(NAMES, st.one_of(st.none(), st.just({"driver": "local"})), max_size=2),
        "name": NAMES,
    },
)
# An item twice is another matter: Compose takes it in most lists, whatever its schema says.
LISTS = st.lists(WORDS, max_size=2, unique=True)
ODD = st.one_of(st.none(), st.booleans(), st.integers(0, 9), WORDS, LISTS, st.just({"a": "b"}))
KEYS = (
    "image",
    "restart",
    "environment",
    "ports",
    "privileged",
    "healthcheck",
    "deploy",
    "networks",
    "command",
    "nonsense",
)
REFERENCE = jsonschema.Draft202012Validator(schema())


@settings(max_examples=60, deadline=None)
@given(MODELS)
def test_every_generated_model_that_is_valid_has_no_problem(model: dict[str, Any]) -> None:
    assert REFERENCE.is_valid(model)
    assert list(problems(model)) == []


@settings(max_examples=120, deadline=None)
@given(MODELS, NAMES, st.sampled_from(KEYS), ODD)
def test_one_odd_value_is_a_problem_exactly_when_jsonschema_says_so(
    model: dict[str, Any], name: str, key: str, value: object
) -> None:
    broken = {**model, "services": {**model["services"], name: {"image": "x", key: value}}}
    assert bool(list(problems(broken))) == (not REFERENCE.is_valid(broken))
