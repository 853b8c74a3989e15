"""What people ask for: each has a script or says why not, scripts fit the tools, and the page is current."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import yaml
from mcp import Client

from homelab_mcp.adapters.prompt_files import load_prompts
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.cli.app import app
from homelab_mcp.core.agent_script import Step, parse_script
from homelab_mcp.server import build

ROOT = Path(__file__).parents[2]
SCRIPTS = {p.stem: parse_script(p.read_text("utf-8"), p.name) for p in (ROOT / "tests" / "agents").glob("*.yaml")}
NOT_SERVED: set[str] = set()
"""To be brought to none."""


async def schemas(folder: Path) -> dict[str, dict[str, Any]]:
    """Each tool's arguments, by the tool's name."""
    # With another host tools show `host` too.
    (folder / "hosts.yaml").write_text("hosts:\n  nas: {address: 'ssh://root@nas.lan'}\n")
    async with Client(build(open_lab(str(folder)))) as client:
        return {t.name: t.input_schema.get("properties", {}) for t in (await client.list_tools()).tools}


def test_all_106_are_served_but_for_what_the_page_says() -> None:
    rows = yaml.safe_load((ROOT / "tests" / "intents.yaml").read_text("utf-8"))
    asked = {number: row for section in rows.values() for number, row in section.items()}
    assert list(asked) == [f"P{n}" for n in range(1, 107)]
    served = {number for script in SCRIPTS.values() for number in script.intents}
    assert served == asked.keys() - NOT_SERVED
    assert {number for number, row in asked.items() if row.get("not_served")} == NOT_SERVED
    assert [path for row in asked.values() for path in row.get("deeper", ()) if not (ROOT / path).is_file()] == []


def test_the_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "script" / "prompts-doc", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_scripts_call_tools_that_are_there_with_arguments_that_they_take(tmp_path: Path) -> None:
    known = await schemas(tmp_path)
    prompts = {prompt.name: set(prompt.arguments) for prompt in load_prompts()}
    for name, script in SCRIPTS.items():
        for step in script.steps:
            if step.tool:
                assert step.arguments.keys() <= known[step.tool].keys(), (name, step.tool)
            if step.prompt:
                assert step.arguments.keys() <= prompts[step.prompt], (name, step.prompt)
        checks = [s for s in script.steps if s.expect or s.contains or s.lacks or s.refused or s.apply or s.owner]
        assert checks, name


def test_plans_come_to_an_end_and_what_came_of_them_is_looked_at() -> None:
    """A plan that nobody answers shows nothing in the lab: each is applied or declined, and the last one is judged."""
    for name, script in SCRIPTS.items():
        waits = False
        for step in script.steps:
            if step.tool and step.expect.get("state") == "pending":
                assert not waits, f"{name}: a plan is made while another still waits"
                waits = True
            elif step.apply or step.decline:
                waits = False
        assert not waits, f"{name}: its last plan is never answered"
        applied = [n for n, step in enumerate(script.steps) if step.apply]
        if applied:
            after = script.steps[applied[-1] :]
            assert after[0].expect or any(step.kind in LOOKS for step in after[1:]), f"{name}: nobody looks afterwards"


LOOKS = ("tool", "file", "resource", "command")

ITS_WORDS = {
    "more-drives": "mount the disk there",
    "renew": "Traefik gets a first certificate by itself",
    "webhooks": "a page of its own, as of a webhook, a person enters",
}
"""Where no command is typed instead: what the server says of it, by script."""


def test_what_a_person_does_instead_is_what_the_server_says() -> None:
    """``instead`` is the page's word: without this a script could promise what no answer ever tells anybody."""
    spoken_for = set()
    for name, script in SCRIPTS.items():
        if not script.instead:
            continue
        said = [words for step in script.steps for words in expected_of_the_server(step)]
        called = {step.tool for step in script.steps}
        quoted = re.findall(r"`([^`]+)`", script.instead)
        typed = [words for words in quoted if words not in called]
        for words in typed:
            assert any(re.search(as_typed(words), one) for one in said), f"{name}: nobody expects to be told {words}"
        if not typed:
            assert any(ITS_WORDS[name] in one for one in said), f"{name}: nobody expects to be told"
            spoken_for.add(name)
    assert spoken_for == ITS_WORDS.keys()


def as_typed(words: str) -> str:
    """A pattern of a command: names in capitals stand for any word."""
    return r"\s".join(r"[\w./-]+" if word.isupper() else re.escape(word) for word in words.split())


def expected_of_the_server(step: Step) -> Iterator[str]:
    """What a step wants to read in an answer, a refusal, a prompt or a page of the server; nothing of a file."""
    if step.tool or step.prompt or step.resource:
        yield from step.contains
        yield from wanted(step.expect)


def wanted(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in ("lacks", "some", "any"):
                yield from wanted(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from wanted(inner)
    elif isinstance(value, str):
        yield value


def test_the_rule_sees_a_word_that_nobody_looks_for() -> None:
    quiet = parse_script("says: x\ninstead: do `kill PID`\nsteps: [{tool: a, expect: {b: {lacks: [kill 7]}}}]", "x")
    assert list(expected_of_the_server(quiet.steps[0])) == []
    told = parse_script("says: x\nsteps: [{tool: a, expect: {b: {has: {do: {contains: 'run kill 7'}}}}}]", "x")
    assert [re.search(as_typed("kill PID"), one) is not None for one in expected_of_the_server(told.steps[0])] == [True]


async def test_prompts_name_tools_words_and_commands_that_are_there(tmp_path: Path) -> None:
    known = await schemas(tmp_path)
    commands = click_commands()
    for prompt in load_prompts():
        named = re.findall(r"`(\w+)`(?: (?:of |each |the )?`?(\w+)=)?", prompt.text)
        assert named, prompt.name
        for tool, argument in named:
            assert tool in known, f"{prompt.name} names {tool}, which is no tool"
            assert not argument or argument in known[tool], f"{prompt.name}: {tool} takes no {argument}"
        for tool, word in re.findall(r"`(resolve_drift|set_lazy_loading|set_vpn)` (adopt|undo|on|off)\b", prompt.text):
            choices = [choice for field in known[tool].values() for choice in field.get("enum", ())]
            assert word in choices, f"{prompt.name}: {tool} knows no {word}"
        for typed in re.findall(r"`homelab-mcp ([a-z -]+)", prompt.text.replace("\n", " ")):
            first, _, second = typed.partition(" ")
            assert first in commands, f"{prompt.name}: there is no command {first}"
            below = commands[first]
            word = second.split(" ")[0]
            assert not below or word in below, f"{prompt.name}: {first} has no command {word}"


def click_commands() -> dict[str, set[str]]:
    """Each command with those below it."""
    top = typer.main.get_command(app)
    return {name: set(getattr(command, "commands", ())) for name, command in getattr(top, "commands", {}).items()}
