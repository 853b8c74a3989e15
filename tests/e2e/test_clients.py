"""Each client as it behaves, by what is documented and was observed of it in October 2026: who may say yes, and how.

Real servers and the SDK's client, which is given each client's name, era, transport and abilities, and answers as its
owner's client does. Whatever a client does by itself, a plan is approved by the typed name alone.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ClientCapabilities, ElicitRequestParams, ElicitResult, Implementation

from homelab_mcp.bootstrap import open_lab
from tests.e2e.http_server import serving
from tests.e2e.server import Era, LabOnDisk, call, data, types_the_name, words

Answer = Callable[[str], ElicitResult]


class Profile(NamedTuple):
    """A client: ``ability`` is what it declares (``form``, ``form+url``, or nothing), ``answer`` what it then does."""

    name: str
    client: str
    era: Era
    transport: str
    ability: str = ""
    answer: Answer | None = None
    approves: bool = False


def declines(message: str) -> ElicitResult:
    return ElicitResult(action="decline")


def cancels(message: str) -> ElicitResult:
    return ElicitResult(action="cancel")


def accepts_an_empty_form(message: str) -> ElicitResult:
    return ElicitResult(action="accept", content={})


def accepts_what_is_there(message: str) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": ""})


def says_yes(message: str) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": "yes"})


PROFILES = (
    Profile("VS Code, a person types the name", "Visual Studio Code", "legacy", "stdio", "form", types_the_name, True),
    Profile("VS Code, the person closes the dialog", "Visual Studio Code", "legacy", "stdio", "form", cancels),
    Profile("VS Code over HTTP, another name typed", "Visual Studio Code", "legacy", "http", "form", says_yes),
    Profile("Claude Desktop, legacy", "claude-ai", "legacy", "stdio"),
    Profile("Claude Desktop, modern", "claude-ai", "auto", "stdio"),
    Profile("Claude Desktop, where it shows dialogs", "claude-ai", "auto", "stdio", "form", types_the_name, True),
    Profile("IntelliJ's Copilot", "JetBrains-IU/copilot-intellij", "legacy", "stdio"),
    Profile("Claude Code in VS Code declines by itself", "claude-code", "auto", "stdio", "form", declines),
    Profile("Claude Code in a terminal", "claude-code", "auto", "stdio", "form", types_the_name, True),
    Profile("Codex in Full Access accepts the empty form", "codex", "legacy", "stdio", "form", accepts_an_empty_form),
    Profile("Copilot CLI takes what is there", "copilot-cli", "auto", "stdio", "form", accepts_what_is_there),
    Profile("GitHub Copilot app", "github-copilot-app", "legacy", "stdio"),
    Profile("MCP Inspector", "mcp-inspector", "legacy", "stdio"),
    Profile("OpenWebUI, a person in the browser", "open-webui", "auto", "http", "form+url", types_the_name, True),
    Profile("OpenWebUI, the person says no", "open-webui", "auto", "http", "form+url", declines),
    Profile("OpenWebUI automation", "open-webui", "auto", "http"),
    Profile("mcpo", "mcpo", "legacy", "http"),
)  # fmt: skip


@asynccontextmanager
async def connected(lab: LabOnDisk, profile: Profile, url: str, asked: list[str]) -> AsyncIterator[Client]:
    """That client, connected; what it is asked goes to ``asked``."""

    async def person(context: Any, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        assert profile.answer is not None
        return profile.answer(params.message)

    async with AsyncExitStack() as stack:
        server: Any = StdioServerParameters(command=sys.executable, args=["-m", "homelab_mcp", "serve"], env=lab.env())
        if profile.transport == "http":
            http = await stack.enter_async_context(httpx2.AsyncClient(timeout=30))
            server = streamable_http_client(url, http_client=http)
        yield await stack.enter_async_context(
            Client(
                server,
                mode=profile.era,
                client_info=Implementation(name=profile.client, version="1"),
                elicitation_callback=person if profile.ability else None,
            )
        )


def form_only(patch: pytest.MonkeyPatch) -> None:
    """Let the SDK's client declare forms alone."""
    whole = ClientSession._build_capabilities

    def built(self: ClientSession, *arguments: Any, **named: Any) -> ClientCapabilities:
        found = whole(self, *arguments, **named)
        if found.elicitation is not None:
            found.elicitation.url = None
        return found

    patch.setattr(ClientSession, "_build_capabilities", built)


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.timeout(240)
async def test_on_every_client_only_the_typed_name_approves_and_all_else_says_how_a_person_can(
    lab: LabOnDisk, transport: str
) -> None:
    with serving(lab) as served:
        services = iter(("uptime-kuma", "jellyfin", "grafana", "it-tools"))
        service = next(services)
        for profile in (p for p in PROFILES if p.transport == transport):
            before, asked = lab.files(), list[str]()
            with pytest.MonkeyPatch.context() as patch:
                if profile.ability == "form":
                    form_only(patch)
                async with connected(lab, profile, served.url, asked) as client:
                    plan = data(await call(client, "add_service", service=service, stack="apps"))
                    assert lab.files() == before, profile.name
                    result = await call(client, "apply_plan", plan_id=plan["plan_id"])
                    shown = data(await call(client, "get_plan", plan_id=plan["plan_id"], wait=20))
            assert bool(asked) is bool(profile.ability), profile.name
            if profile.approves:
                assert shown["state"] == "done", profile.name
                assert service in str(lab.files()["apps/compose.yaml"])
                service = next(services)
                continue
            assert result.is_error, profile.name
            assert "plan_not_approved" in words(result), (profile.name, words(result))
            assert f" approve {plan['plan_id']}" in words(result), (profile.name, words(result))
            assert (shown["state"], lab.files()) == ("pending", before), profile.name
            asker = open_lab(str(lab.root), files_only=True).plans.get(plan["plan_id"]).asked_by
            assert asker.client == profile.client, profile.name
