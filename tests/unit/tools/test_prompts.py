"""Prompts, resources and completion as a client gets them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from homelab_mcp.adapters.prompt_files import load_prompts, parse
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.server import Offer, build
from homelab_mcp.tools.prompts import matching, missing
from homelab_mcp.tools.toolsets import TOOLSETS

ALL_TOOLS = {name for names in TOOLSETS.values() for name in names}


@pytest.fixture
def lab(tmp_path: Path) -> str:
    """A lab with one stack, whose .env holds a secret."""
    stack = tmp_path / "media"
    stack.mkdir()
    (stack / "compose.yaml").write_text(
        "services:\n  plex:\n    image: plex\n    environment:\n      K: ${PLEX_TOKEN}\n"
    )
    (stack / ".env").write_text("PLEX_TOKEN=canary-5f2a9c\nEMPTY=\n")
    return str(tmp_path)


def test_each_prompt_uses_its_arguments_and_names_tools_of_ours() -> None:
    prompts = load_prompts()
    assert len(prompts) >= 20
    for prompt in prompts:
        assert set(re.findall(r"\{(\w+)\}", prompt.text)) == set(prompt.arguments), prompt.name
        named = {word for word in re.findall(r"`(\w+_\w+|diagnose|audit|backups)`", prompt.text)}
        assert named <= ALL_TOOLS, prompt.name
        assert named, prompt.name
        assert len(prompt.text) < 2_000, prompt.name


async def test_a_prompt_says_which_of_its_tools_are_not_offered(lab: str) -> None:
    async with Client(build(open_lab(lab), offer=Offer(("core",)))) as client:
        got = await client.get_prompt("lazy-loading", {"service": "plex"})
    text = got.messages[0].content.text  # type: ignore[union-attr]
    assert "Let plex sleep" in text
    assert "does not offer set_lazy_loading" in text
    assert missing("`lab_status` and `apply_plan`", {"lab_status"}) == ("apply_plan",)


async def test_arguments_may_be_left_out_where_words_stand_for_them(lab: str) -> None:
    async with Client(build(open_lab(lab))) as client:
        listed = {p.name: p for p in (await client.list_prompts()).prompts}
        needed = {a.name: a.required for a in listed["add-service"].arguments or ()}
        assert needed == {"service": True, "stack": False}
        got = await client.get_prompt("add-service", {"service": "plex", "stack": "films"})
        assert "in films." in got.messages[0].content.text  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="Unknown prompt"):
            await client.get_prompt("no-such", {})
        with pytest.raises(MCPError, match="service"):
            await client.get_prompt("add-service", {})
    assert parse("x", "---\ntitle: t\ndescription: d\narguments: a, b=some words\n---\n{a} {b}\n").defaults == {
        "b": "some words"
    }


async def test_resources_show_the_lab_and_no_value_of_an_env_file(lab: str) -> None:
    async with Client(build(open_lab(lab))) as client:

        async def read(uri: str) -> str:
            return (await client.read_resource(uri)).contents[0].text  # type: ignore[union-attr]

        assert await read("homelab://stacks/media/env") == "PLEX_TOKEN: set\nEMPTY: empty\n"
        assert "image: plex" in await read("homelab://stacks/media/compose")
        assert json.loads(await read("homelab://catalog/plex"))["id"] == "plex"
        assert "- `plex`: Plex" in await read("homelab://catalog")
        assert (await read("homelab://docs/security")).startswith("# ")
        assert json.loads(await read("homelab://journal")) == []
        for uri in ("homelab://stacks/none/env", "homelab://docs/none", "homelab://plans/none-such-plan"):
            with pytest.raises(MCPError):
                await read(uri)


async def test_words_complete_prompts_and_templates(lab: str) -> None:
    async with Client(build(open_lab(lab))) as client:

        async def complete(ref: PromptReference | ResourceTemplateReference, name: str, typed: str) -> list[str]:
            return list((await client.complete(ref, {"name": name, "value": typed})).completion.values)

        new = PromptReference(type="ref/prompt", name="add-service")
        assert (await complete(new, "service", "jelly"))[0] == "jellyfin"
        assert await complete(PromptReference(type="ref/prompt", name="whats-wrong"), "service", "p") == ["plex"]
        template = ResourceTemplateReference(type="ref/resource", uri="homelab://stacks/{stack}/env")
        assert await complete(template, "stack", "") == ["media"]
        assert await complete(template, "no-such", "") == []


def test_completion_puts_beginnings_first_and_keeps_the_protocols_limit() -> None:
    assert matching(["xab", "abc"], "AB").values == ["abc", "xab"]
    many = matching([f"a{n}" for n in range(150)], "a")
    assert (len(many.values), many.total, many.has_more) == (100, 150, True)
