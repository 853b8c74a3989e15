"""Numbers and lists that pages say: rules, APIs, what entries lack, benchmarks, tools that take a host."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from bench import scale_page
from bench.catalog_lacking import lacking
from bench.lines import Line
from bench.scale import SIZES
from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.adapters.failure_files import load_signatures
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.checks.engine_rules import listed_rules
from homelab_mcp.server import build
from tests.doc_pages import blocks_of, pages

ROOT = Path(__file__).parents[2]
ENTRIES = packaged_definitions()
ROUND = 50


def told(page: str) -> str:
    """A page's text with its lines joined, as a reader has it."""
    return " ".join((ROOT / page).read_text("utf-8").split())


@pytest.mark.parametrize("page", ["README.md", "docs/how-it-works.md"])
def test_there_are_as_many_rules_as_is_said(page: str) -> None:
    (said,) = re.findall(r"more than (\d+) (?:\[rules\]|rules\])", told(page))
    assert int(said) < len(listed_rules()) <= int(said) + ROUND


def test_it_is_said_of_how_many_services_the_api_can_be_used() -> None:
    found = [entry for entry in ENTRIES if entry.api]
    calls = sum(len(entry.api.operations) for entry in found if entry.api)
    said = f"{len(found)} of the catalog's {len(ENTRIES)} entries have an `api`, with {calls} operations"
    writes = sum(operation.writes for entry in found if entry.api for operation in entry.api.operations)
    assert said in told("docs/service-apis.md")
    assert 0.3 < writes / calls < 0.37, "about a third"
    assert f"use the API of one of {len(found)} services" in told("README.md")
    assert all(entry.name in told("docs/service-apis.md") for entry in found)


def test_it_is_said_how_many_entries_say_a_thing() -> None:
    signatures = load_signatures()
    without = [kind for entry in ENTRIES for kind in lacking(entry, signatures)]
    memory, metrics, widget, failures = (
        len(ENTRIES) - without.count(kind) for kind in ("memory", "metrics", "widget", "failures")
    )
    page = told("docs/catalog.md")
    assert (
        f"Of the catalog's {len(ENTRIES)} entries {memory} have a `minimum_memory`, {metrics} have `metrics`, and "
        f"{widget} have a widget of the start page; all {failures} have failure lines"
    ) in page
    assert failures == len(ENTRIES)


def measured() -> dict[str, dict[str, Any]]:
    lines = json.loads((ROOT / "bench" / "results.json").read_text("utf-8"))["lines"]
    return {line["what"]: line for line in lines}


def test_the_page_of_a_hundred_hosts_has_the_benchmarks_figures() -> None:
    page, results = told("docs/scale.md"), measured()
    for hosts, containers in SIZES:
        line = results[f"lab_status, {containers:,} simulated containers on {hosts} host{'s' * (hosts > 1)}"]
        row = f"| {hosts} | {containers:,} | {line['ours']:,.1f} ms | {line['ours'] / containers:.2f} ms | "
        assert f"{row}{line['floor']:,.1f} ms |" in page
    growth = results["lab_status growth, 1,000 to 10,000 containers"]
    assert f"the time grows {10 * growth['ratio']:.1f} times" in page
    plan, first = (
        results[what]["ours"] / 1000
        for what in ("plan of add_service, 1,000 services", "the first plan of a process, 1,000 services")
    )
    assert f"{plan:.1f} s of processor time at 1,000 services, {first:.1f} s for the first of a process" in page
    assert f"it grew {10 * results['plan growth, 100 to 1,000 services']['ratio']:.1f} times" in page


def test_a_new_run_writes_that_pages_figures() -> None:
    page = scale_page.PAGE.read_text("utf-8")
    lines = [Line(**{k: v for k, v in line.items() if k != "ratio"}) for line in measured().values()]
    assert scale_page.rewritten(page, lines) == page, "of the last run"
    slower = [dataclasses.replace(line, ours=line.ours * 1234) for line in lines]
    other = scale_page.rewritten(page, slower)
    assert other != page
    assert scale_page.rewritten(other, lines) == page
    assert scale_page.rewritten(page, slower[:-30]) == page, "a run that did not measure all of them"
    with pytest.raises(ValueError, match="says 0 times: the time grows"):
        scale_page.rewritten(page.replace("the time grows", "it grows"), lines)


async def test_the_tools_that_take_a_host_are_named(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("hosts:\n  nas: {address: 'ssh://root@nas.lan'}\n")
    async with Client(build(open_lab(str(tmp_path)))) as client:
        tools = (await client.list_tools()).tools
    taking = {tool.name for tool in tools if "host" in tool.input_schema.get("properties", {})}
    pattern = r"Which tools take `host` (.+?)\. As soon as .+?(\d+) more tools"
    ((said, more),) = re.findall(pattern, told("docs/hosts.md"))
    own = set(re.findall(r"`(\w+)`", said)) - {"all"}
    assert own <= taking
    assert len(taking) == len(own) + int(more)


def test_commands_of_listings_that_are_only_parsed_are_named() -> None:
    named = told("CONTRIBUTING.md").partition("## Commands in the docs")[2].partition("## Layers")[0]
    for page in pages():
        for block in blocks_of(page, (ROOT / page).read_text("utf-8")):
            for command in block.commands:
                if block.parse_only(command):
                    words = command.words if command.ours is None else command.ours
                    shown = [f"`{' '.join(words[:n])}`" for n in (1, 2)]
                    assert any(one in named for one in shown), command
