"""Subscriptions to resources: told of changes that other processes make, in both eras; nobody else is told."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceUpdatedNotification

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.server import build
from homelab_mcp.tools import watching
from homelab_mcp.workflow.assembly import approvals
from homelab_mcp.workflow.init_lab import init_lab
from tests.e2e.http_server import client_of, serving
from tests.e2e.server import PIN, LabOnDisk

FILE = "homelab://stacks/core/compose"


pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def lab(tmp_path: Path) -> LabOnDisk:
    """A lab with one stack, made in this process."""
    root = tmp_path / "stacks"
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test", "acme.challenge": "tls"}, PIN)
    (root / "core").mkdir()
    (root / "core" / "compose.yaml").write_text("services:\n  web:\n    image: nginx:1.29\n", "utf-8")
    return LabOnDisk(root, {"HOMELAB_FILES_ONLY": "1"})


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SECONDS", 0.05)


def touch(lab: LabOnDisk) -> None:
    """An edit by hand."""
    file = lab.root / "core" / "compose.yaml"
    file.write_text(f"{file.read_text('utf-8')}# edited\n", "utf-8")


@asynccontextmanager
async def told_of_old(lab: LabOnDisk) -> AsyncIterator[tuple[Client, asyncio.Queue[str]]]:
    """A client of 2025-11-25, and what it is told."""
    told: asyncio.Queue[str] = asyncio.Queue()

    async def heard(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.put_nowait(str(message.params.uri))

    server = build(open_lab(str(lab.root), files_only=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the earlier era's calls are deprecated
        async with Client(server, mode="legacy", message_handler=heard) as client:
            yield client, told


async def test_a_client_of_2026_is_told_of_an_edit_and_of_a_plan_that_another_answers(lab: LabOnDisk) -> None:
    server = build(open_lab(str(lab.root), files_only=True))
    async with Client(server) as client:
        made = await client.call_tool("add_service", {"service": "uptime-kuma", "stack": "apps"})
        assert made.structured_content
        plan = str(made.structured_content["plan_id"])
        asked = [FILE, f"homelab://plans/{plan}", "homelab://catalog"]
        async with client.listen(resource_subscriptions=asked) as stream:
            touch(lab)
            event = await asyncio.wait_for(anext(aiter(stream)), 20)
            assert getattr(event, "uri", "") == FILE
            answers = approvals(open_lab(str(lab.root), files_only=True))
            await asyncio.to_thread(lambda: answers.out_of_band(plan, PIN, who="test", approved=False))
            event = await asyncio.wait_for(anext(aiter(stream)), 20)
            assert getattr(event, "uri", "") == asked[1]


async def test_a_client_of_2025_is_told_until_it_asks_no_more(lab: LabOnDisk) -> None:
    async with told_of_old(lab) as (client, told):
        await client.subscribe_resource(FILE)
        touch(lab)
        assert await asyncio.wait_for(told.get(), 20) == FILE
        await client.unsubscribe_resource(FILE)
        touch(lab)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(told.get(), 0.5)


async def test_nobody_is_looked_after_when_all_have_gone_and_too_many_are_refused(lab: LabOnDisk) -> None:
    async with told_of_old(lab) as (client, _):
        await client.subscribe_resource(FILE)
        assert [task for task in asyncio.all_tasks() if task.get_name() == "watch resources"]
        with pytest.raises(MCPError, match="watched already"):
            for number in range(watching.MOST + 1):
                await client.subscribe_resource(f"homelab://plans/p{number}")
    await asyncio.sleep(0.1)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "watch resources"]


async def test_a_token_that_may_not_read_may_not_listen(lab: LabOnDisk) -> None:
    plans_only = lab.json("token", "create", "planner", "--scope", "plan")["token"]
    reads = lab.json("token", "create", "reader", "--scope", "read")["token"]
    with serving(lab) as served:
        async with client_of(served.url, plans_only) as client:
            with pytest.raises(MCPError, match="insufficient_scope"):
                async with client.listen(resource_subscriptions=[FILE]):
                    pass
        async with client_of(served.url, reads) as client, client.listen(resource_subscriptions=[FILE]) as stream:
            touch(lab)
            assert getattr(await asyncio.wait_for(anext(aiter(stream)), 30), "uri", "") == FILE
