"""What the list of tools costs, counted with a real tokenizer; and the shapes that every client's model accepts."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from bpe_openai import get_encoding  # type: ignore[import-untyped]
from mcp import Client

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.server import Offer, build
from homelab_mcp.tools.access import SCOPES
from homelab_mcp.tools.toolsets import DEFAULT, TOOLSETS, WITH_EVERY_SET, chosen

MOST_TOOLS, MOST_TOKENS, MOST_BYTES = 30, 8_000, 32_768
ENCODINGS = ("o200k_base", "cl100k_base")
"""Vocabularies that the package carries: no network."""


def tokens(text: str) -> int:
    """The dearer of the two vocabularies."""
    return max(len(get_encoding(name).encode(text)) for name in ENCODINGS)


async def listed(tmp_path: Path, *sets: str) -> tuple[list[dict[str, Any]], str]:
    """The tools of that choice as a client gets them, and the server's instructions."""
    async with Client(build(open_lab(str(tmp_path)), offer=Offer(sets))) as client:
        tools = (await client.list_tools()).tools
        told = client.instructions or ""
    return [t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in tools], told


async def test_the_default_list_stays_in_its_budget(tmp_path: Path) -> None:
    for sets in (("default",), *((name,) for name in TOOLSETS), ("all",)):
        tools, _ = await listed(tmp_path, *sets)
        text = json.dumps({"tools": tools}, separators=(",", ":"), ensure_ascii=False)
        size = (len(tools), tokens(text), len(text.encode()))
        print(f"tools/list {sets[0]}: {size[0]} tools, {size[1]:,} tokens, {size[2]:,} bytes")
        if sets == ("default",):
            assert size[0] <= MOST_TOOLS
            assert size[1] <= MOST_TOKENS
            assert size[2] <= MOST_BYTES


async def test_the_instructions_are_short_and_name_what_is_not_offered(tmp_path: Path) -> None:
    _, everything = await listed(tmp_path, "all")
    tools, told = await listed(tmp_path, "default")
    print(f"instructions: {tokens(everything)} tokens with all tools, {tokens(told)} with the default ones")
    assert tokens(everything) < tokens(told) < 300
    assert told.startswith(everything)
    names = {t["name"] for t in tools}
    assert "move_service" not in names
    assert "move_service" in told
    for field in ("plan_id", "risk", "reasons", "diff", "findings", "undo", "expires_in", "next", "evidence"):
        assert field in everything


@pytest.mark.timeout(300)
@pytest.mark.parametrize("read_only", [False, True], ids=["all of it", "read-only"])
def test_the_instructions_stay_short_and_true_for_every_choice_of_toolsets(tmp_path: Path, read_only: bool) -> None:
    words = (*TOOLSETS, "default", "all")
    subsets = [subset for size in range(len(words) + 1) for subset in itertools.combinations(words, size)]
    told: dict[frozenset[str] | None, str] = {}  # many subsets come to the same tools, and to one server
    costs = {}
    for subset in subsets:
        choice = chosen(subset)
        if choice not in told:
            server = build(open_lab(str(tmp_path)), offer=Offer(subset, read_only))
            told[choice] = server.instructions or ""
            offered = {tool.name for tool in server._tool_manager.list_tools()}
            truth(told[choice], offered, read_only=read_only)
        costs[subset] = tokens(told[choice])
    assert len(costs) == 64
    dearest = max(costs, key=costs.__getitem__)
    print(f"instructions: at most {costs[dearest]} tokens of {len(costs)} choices, with {','.join(dearest) or 'none'}")
    assert costs[dearest] < 300


def truth(told: str, offered: set[str], *, read_only: bool) -> None:
    """Each tool that the instructions name is there or is said not to be, and each one that is not there is covered."""
    before, _, after = told.partition("Not offered: ")
    for name in SCOPES:
        if name in before:
            assert name in offered, f"{name} is named, and is not offered"
        if name in after:
            assert name not in offered, f"{name} is said not to be offered, and is"
    for name, members in TOOLSETS.items():
        own = set(members) - WITH_EVERY_SET
        missing = {one for one in own - offered if not read_only or one in READING}
        assert not missing or f"{name} (" in after or all(one in after for one in missing), (name, missing, after)
        assert f"{name} (" not in after or own.isdisjoint(offered)
    assert ("--read-only" in after) is (read_only and bool(after))


READING = frozenset(
    {
        "check_updates", "search_catalog", "lab_status", "read_logs", "validate_compose", "service_details",
        "resource_usage", "host_health", "history", "review_changes", "diagnose", "backups", "check_vpn", "check_certs",
        "get_env", "check_storage", "show_platform", "audit",
    }
)  # fmt: skip
"""The tools that change nothing, as a reviewer lists them."""


def test_default_is_a_choice_of_at_most_thirty_known_tools() -> None:
    assert len(DEFAULT) == len(set(DEFAULT)) <= MOST_TOOLS
    places = [name for names in TOOLSETS.values() for name in names]
    assert len(places) == len(set(places))
    assert set(DEFAULT) <= set(places)


async def test_every_tool_has_a_place_and_a_scope(tmp_path: Path) -> None:
    tools, _ = await listed(tmp_path, "all")
    placed = frozenset().union(*TOOLSETS.values())
    for tool in tools:
        assert tool["name"] in placed, f"{tool['name']} is in no set of tools/toolsets.py"
        assert tool["name"] in SCOPES, f"{tool['name']} is in no scope of tools/access.py"


async def test_each_set_offers_its_own_tools_and_what_plans_need(tmp_path: Path) -> None:
    there = {t["name"] for t in (await listed(tmp_path, "all"))[0]}
    for name, members in TOOLSETS.items():
        tools, _ = await listed(tmp_path, name)
        assert {t["name"] for t in tools} == (set(members) | WITH_EVERY_SET) & there
    both, _ = await listed(tmp_path, "ops", "admin")
    assert {t["name"] for t in both} == ({*TOOLSETS["ops"], *TOOLSETS["admin"]} | WITH_EVERY_SET) & there


def test_a_word_that_is_no_set_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput) as caught:
        chosen(["core", "everything"])
    assert "core, ops, platform, admin, default, all" in caught.value.hint
    assert chosen([]) == frozenset(DEFAULT)
    assert chosen(["core", "all"]) is None


KEYWORDS = frozenset(
    {
        "type", "properties", "required", "items", "enum", "const", "description", "default",
        "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "additionalProperties",
    }
)  # fmt: skip
"""JSON Schema words that the function declarations of OpenAI, Anthropic and Gemini all take or leave unread.

A union, a reference or a format is what one of them refuses, and then every request with the whole list.
"""

TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object"})


def odd_words(schema: dict[str, Any], at: str) -> list[str]:
    """Places of a schema that some model's API refuses."""
    found = [f"{at}: {word}" for word in schema if word not in KEYWORDS]
    if str(schema.get("type")) not in TYPES:
        found.append(f"{at}: type {schema.get('type')!r}")
    for value in schema.get("enum", ()):
        if not isinstance(value, str):
            found.append(f"{at}: enum of {value!r}")
    if schema.get("type") == "array":
        found += odd_words(schema.get("items", {}), f"{at}[]")
    for name, inner in schema.get("properties", {}).items():
        found += odd_words(inner, f"{at}.{name}")
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        found += odd_words(more, f"{at}.*")
    return found


async def test_every_schema_is_in_the_subset_that_all_models_accept(tmp_path: Path) -> None:
    tools, _ = await listed(tmp_path, "all")
    for tool in tools:
        schema = tool["inputSchema"]
        assert schema["type"] == "object"
        assert odd_words(schema, tool["name"]) == []
        assert len(tool["name"]) <= 40
        assert tool["name"].replace("_", "").isascii()


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"type": ["string", "null"]},
        {"type": "string", "format": "uri"},
        {"$ref": "#/$defs/A"},
        {"type": "array"},
        {"type": "object", "properties": {"a": {"oneOf": []}}},
        {"type": "object", "additionalProperties": {"anyOf": []}},
    ],
)
def test_the_check_sees_what_models_refuse(schema: dict[str, Any]) -> None:
    assert odd_words(schema, "tool")
