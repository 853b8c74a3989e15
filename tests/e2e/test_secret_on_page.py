"""A secret that only a person has: their client is sent to the approval page for it, and no model ever sees it."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import httpx
import httpx2
import pytest
from mcp import Client, ClientSession, MCPError, StdioServerParameters, UrlElicitationRequiredError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CallToolResult,
    ClientCapabilities,
    ElicitationCapability,
    ElicitRequestURLParams,
    ElicitResult,
    FormElicitationCapability,
)

from homelab_mcp.core.env_file import parse
from tests.e2e.http_server import Served, client_of, serving
from tests.e2e.server import ERAS, PIN, Era, LabOnDisk, data, words

pytestmark = pytest.mark.timeout(240)

TOKEN = "typed-by-a-person-5512-canary"
NAME = "CLOUDFLARED_TUNNEL_TOKEN"
OTHER_WAYS = f"homelab-mcp env set STACK {NAME}"


@pytest.fixture
def served(lab: LabOnDisk) -> Iterator[Served]:
    with serving(lab) as server:
        yield server
        said = "".join(server.said)
        assert TOKEN not in said
        assert "Traceback" not in said


def types_it(url: str, value: str = TOKEN) -> None:
    """What a person does at that address: logs in, types the value, approves the plan; until it is applied."""
    origin = "/".join(url.split("/")[:3])
    fields = re.compile(r'name="(csrf|digest|name\d?|next)" value="([^"]*)"')
    with httpx.Client(base_url=origin, headers={"Origin": origin}, timeout=30, follow_redirects=True) as browser:
        page = browser.get(url)
        assert "Approval PIN" in page.text, "whoever has the link has no way in by it"
        to = dict(fields.findall(page.text))["next"].replace("&amp;", "&")
        page = browser.post("/approvals/login", data={"pin": PIN, "next": to})
        form = dict(fields.findall(page.text))
        assert form["name"] == NAME
        stack = re.findall(r"<option selected>([^<]+)<", page.text)
        page = browser.post("/approvals/set", data={**form, "stack": stack[0], "value": value})
        assert value not in page.text
        form, place = dict(fields.findall(page.text)), page.url.path
        page = browser.post(f"{place}/answer", data={**form, "do": "approve_apply", "reason": "typed"})
        until = time.monotonic() + 90
        while "done and verified" not in page.text:
            assert time.monotonic() < until, page.text
            time.sleep(0.2)
            page = browser.get(place)


def holds(lab: LabOnDisk) -> str:
    return parse((lab.root / "networking" / ".env").read_text()).get(NAME, "")


async def add(client: Client) -> CallToolResult:
    found = await client.call_tool("add_service", {"service": "cloudflared"})
    assert TOKEN not in found.model_dump_json()
    return found


async def add_as_modern(url: str, answer: Callable[[ElicitRequestURLParams], ElicitResult]) -> CallToolResult:
    """The SDK's client of 2026-07-28 over HTTP, whose person answers so; looks at what it was asked."""

    async def person(context: Any, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams), params
        assert params.elicitation_id is None
        assert NAME in params.message
        assert params.url.startswith(url.removesuffix("mcp") + "approvals/set?")
        return await anyio.to_thread.run_sync(answer, params)

    async with (
        httpx2.AsyncClient(timeout=120) as http,
        Client(streamable_http_client(url, http_client=http), mode="auto", elicitation_callback=person) as client,
    ):
        return await add(client)


async def test_a_2025_client_is_told_which_page_to_open_and_calls_again_when_done(served: Served) -> None:
    async with client_of(served.url, era="legacy", answer=lambda _: ElicitResult(action="decline")) as client:
        with pytest.raises(MCPError) as refused:
            await add(client)
        asked = UrlElicitationRequiredError.from_error(refused.value.error)
        # What the error says by itself is what a client of any other kind hears.
        assert OTHER_WAYS in str(refused.value)
        (question,) = asked.elicitations
        assert len(question.elicitation_id or "") >= 32
        assert NAME in question.message
        assert question.url == f"{served.url.removesuffix('mcp')}approvals/set?stack=networking&name={NAME}"
        await anyio.to_thread.run_sync(types_it, question.url)
        plan = data(await add(client))
    assert plan["state"] == "pending", "what was typed has approved nothing else"
    assert holds(served.lab) == TOKEN
    assert served.lab.json("journal", "verify")["ok"]


async def test_a_2026_client_opens_the_page_within_the_call(served: Served) -> None:
    def person(asked: ElicitRequestURLParams) -> ElicitResult:
        types_it(asked.url)
        return ElicitResult(action="accept")

    assert data(await add_as_modern(served.url, person))["state"] == "pending"
    assert holds(served.lab) == TOKEN


async def test_a_2026_client_that_says_yes_before_the_person_has_typed_is_waited_for(served: Served) -> None:
    """As the protocol has it: accept means that they agreed to go there, not that they are done."""
    going: list[threading.Thread] = []

    def person(asked: ElicitRequestURLParams) -> ElicitResult:
        going.append(threading.Thread(target=types_it, args=(asked.url,)))
        going[0].start()
        return ElicitResult(action="accept")

    assert data(await add_as_modern(served.url, person))["state"] == "pending"
    going[0].join()
    assert holds(served.lab) == TOKEN


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_who_does_not_want_to_hears_the_other_ways_and_is_not_asked_twice(served: Served, action: Any) -> None:
    asked: list[str] = []

    def person(question: ElicitRequestURLParams) -> ElicitResult:
        asked.append(question.url)
        return ElicitResult(action=action)

    answer = await add_as_modern(served.url, person)
    assert answer.is_error
    assert OTHER_WAYS in words(answer)
    assert len(asked) == 1


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("form", [False, True])
async def test_a_client_that_opens_no_pages_hears_the_other_ways(
    served: Served, monkeypatch: pytest.MonkeyPatch, era: Era, form: bool
) -> None:
    """It asks a person nothing, or by forms alone; a secret has no place in a form of the client's."""
    own = ElicitationCapability(form=FormElicitationCapability()) if form else None
    monkeypatch.setattr(
        ClientSession, "_build_capabilities", lambda session, version: ClientCapabilities(elicitation=own)
    )
    async with client_of(served.url, era=era, answer=lambda _: pytest.fail("asked")) as client:
        answer = await add(client)
    assert answer.is_error
    assert OTHER_WAYS in words(answer)


@pytest.mark.parametrize("era", ERAS)
async def test_nobody_is_sent_to_a_page_where_nobody_can_log_in(served: Served, era: Era) -> None:
    (served.lab.root / ".homelab" / "approver.json").unlink()
    async with client_of(served.url, era=era, answer=lambda _: pytest.fail("asked")) as client:
        answer = await add(client)
    assert answer.is_error
    assert OTHER_WAYS in words(answer)


@pytest.mark.parametrize("era", ERAS)
async def test_over_stdio_only_where_a_page_is_served(lab: LabOnDisk, era: Era) -> None:
    seen: list[str] = []

    async def person(context: Any, params: Any) -> ElicitResult:
        seen.append(params.url)
        return ElicitResult(action="decline")

    async def told() -> str:
        server = StdioServerParameters(command=sys.executable, args=["-m", "homelab_mcp", "serve"], env=lab.env())
        async with Client(server, mode=era, elicitation_callback=person) as client:
            try:
                return words(await add(client))
            except MCPError as error:
                asked = UrlElicitationRequiredError.from_error(error.error)
                seen.extend(e.url for e in asked.elicitations)
                return str(error)

    assert OTHER_WAYS in await told()
    assert seen == []
    lab.environment["HOMELAB_APPROVALS_URL"] = "https://approvals.lab.test"
    assert OTHER_WAYS in await told()
    assert seen == [f"https://approvals.lab.test/approvals/set?stack=networking&name={NAME}"]
