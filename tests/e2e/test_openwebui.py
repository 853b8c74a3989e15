"""A chat in a real OpenWebUI that changes the lab: its own page in Chromium, its own MCP client, its own dialog.

Only the language model is a stand-in (``scripted_model``). By night: OpenWebUI takes a minute to start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.browser import Browser, chromium
from tests.e2e.http_server import serving
from tests.e2e.openwebui import TOOL_SERVER, OpenWebui, openwebui, say, until
from tests.e2e.scripted_model import NAME, Messages, ScriptedModel, ToolCall, last_words, scripted_model, tool_results
from tests.e2e.server import LabOnDisk

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]

PREFIX = "homelab_"
"""OpenWebUI puts the tool server's id before each tool's name."""


def parsed(result: str) -> dict[str, Any] | None:
    """A tool's result where it is a plan. Of an error OpenWebUI makes ``{"error": ...}`` with its sentence."""
    try:
        found: dict[str, Any] = json.loads(result)
    except ValueError:
        return None
    return found if "plan_id" in found else None


def adds_and_applies(messages: Messages) -> ToolCall | str:
    """A model that does what the instructions say: plan, apply, tell. Asked to go on, it applies the same plan."""
    done = tool_results(messages)
    if last_words(messages).startswith("apply"):
        plan_id = last_words(messages).split()[-1]
        return f"It says: {done[0]}" if done else ToolCall(f"{PREFIX}apply_plan", {"plan_id": plan_id})
    if not done:
        service = last_words(messages).split()[-1]
        return ToolCall(f"{PREFIX}add_service", {"service": service, "stack": "apps"})
    if len(done) == 1 and (plan := parsed(done[0])):
        return ToolCall(f"{PREFIX}apply_plan", {"plan_id": plan["plan_id"]})
    return f"It says: {done[-1]}"


@dataclass(frozen=True, slots=True)
class Chat:
    """A lab, its server, and a chat with it in OpenWebUI."""

    lab: LabOnDisk
    webui: OpenWebui
    model: ScriptedModel
    browser: Browser

    def plans(self) -> list[dict[str, Any]]:
        """What the tools told the model of plans, since the person's last words."""
        return [plan for text in tool_results(self.model.asked[-1]["messages"]) if (plan := parsed(text))]


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with scripted_model(adds_and_applies) as found:
        yield found


@pytest.fixture(scope="module")
def webui(tmp_path_factory: pytest.TempPathFactory, model: ScriptedModel) -> Iterator[OpenWebui]:
    with openwebui(tmp_path_factory.mktemp("openwebui"), model.address) as found:
        yield found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        with chromium(tmp_path_factory.mktemp("chromium")) as found:
            found.look(width=1280, height=900)
            yield found
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def chat(lab: LabOnDisk, webui: OpenWebui, model: ScriptedModel, browser: Browser) -> Iterator[Chat]:
    """Our server entered by the command that people use, with a token of its own; the last test's entry is replaced."""
    token = lab.json("token", "create", "openwebui", "--scope", "read,plan,apply")["token"]
    with serving(lab) as served:
        options = ("--http", served.url, "--write", "--admin", webui.address, "--yes", "--json")
        env = {**os.environ, **lab.env(), "HOMELAB_MCP_TOKEN": token, "OPENWEBUI_API_KEY": webui.session}
        done = subprocess.run(
            [sys.executable, "-m", "homelab_mcp", "connect", "openwebui", *options],
            env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # OpenWebUI itself says what it found at the server.
        assert {"add_service", "get_plan", "apply_plan"} <= set(json.loads(done.stdout)["tools"])
        webui.open_chat(browser, NAME)
        yield Chat(lab, webui, model, browser)


DIALOG = "return !!document.getElementById('elicitation-0')"


def dialog_text(browser: Browser) -> str:
    return str(browser.script("return document.getElementById('elicitation-0').closest('form').innerText"))


def press(browser: Browser, word: str) -> None:
    """A button of the dialog."""
    browser.script(
        "[...document.getElementById('elicitation-0').closest('form').querySelectorAll('button')]"
        ".find(b => b.innerText.trim() === arguments[0]).click()",
        word,
    )


def eventually(found: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.3)


def test_chat_tool_call_dialog_apply(chat: Chat) -> None:
    before = chat.lab.files()
    say(chat.browser, "please add uptime-kuma")
    until(chat.browser, DIALOG)
    # The dialog is made of the server's text; the model only called the tool. Nothing has changed yet.
    shown = dialog_text(chat.browser)
    assert "To approve, type: uptime-kuma" in shown
    assert "medium" in shown.lower()
    assert chat.lab.files() == before
    assert {f"{PREFIX}add_service", f"{PREFIX}apply_plan"} <= chat.model.offered()

    chat.browser.script("document.getElementById('elicitation-0').focus()")
    chat.browser.keys("uptime-kuma")
    press(chat.browser, "Submit")
    chat.browser.wait("It says:", 90)
    assert "uptime-kuma" in str(chat.lab.files()["apps/compose.yaml"])
    plan, applied = chat.plans()
    assert (applied["plan_id"], applied["state"]) == (plan["plan_id"], "done")
    # Text and structured content are the same JSON, so OpenWebUI gives the model the plan once.
    results = tool_results(chat.model.asked[-1]["messages"])
    assert [text.count('"plan_id"') for text in results] == [1, 1]
    # The server's way of work reaches the model.
    assert "Only they can approve" in str(chat.model.asked[-1]["messages"][0])
    done = chat.lab.json("history")["history"][0]
    assert (done["plan_id"], done["state"], done["approved_by"].split()[0]) == (plan["plan_id"], "done", "client")


@pytest.mark.parametrize("word", ["Decline", "Cancel"])
def test_a_dialog_that_is_not_answered_with_the_name_changes_nothing_and_the_terminal_can(
    chat: Chat, word: str
) -> None:
    before = chat.lab.files()
    say(chat.browser, "please add jellyfin")
    until(chat.browser, DIALOG)
    press(chat.browser, word)
    chat.browser.wait("It says:", 90)
    assert chat.lab.files() == before
    (plan,) = chat.plans()
    told = chat.browser.text()
    assert "plan_not_approved" in told
    assert f" approve {plan['plan_id']}" in told

    # As a person does: the PIN in a terminal; then the chat goes on.
    assert chat.lab.approve(plan["plan_id"])["state"] == "approved"
    assert chat.lab.files() == before
    say(chat.browser, f"apply {plan['plan_id']}")
    eventually(lambda: "jellyfin" in str(chat.lab.files().get("apps/compose.yaml", b"")))
    until(chat.browser, "return document.body.innerText.split('It says:').length > 2", 90)
    (applied,) = chat.plans()
    assert (applied["plan_id"], applied["state"]) == (plan["plan_id"], "done")
    assert not chat.browser.script(DIALOG), "a plan that is approved is not asked about again"


def test_a_wrong_name_in_the_dialog_is_no_yes(chat: Chat) -> None:
    before = chat.lab.files()
    say(chat.browser, "please add grafana")
    until(chat.browser, DIALOG)
    chat.browser.script("document.getElementById('elicitation-0').focus()")
    chat.browser.keys("yes")
    press(chat.browser, "Submit")
    chat.browser.wait("It says:", 90)
    assert "plan_not_approved" in chat.browser.text()
    assert chat.lab.files() == before


def test_a_chat_without_a_browser_calls_no_tool(chat: Chat) -> None:
    """OpenWebUI's API alone: it hands the model's tool call back to its caller, and calls no tool itself."""
    before, asked = chat.lab.files(), len(chat.model.asked)
    body = {
        "model": NAME, "stream": False, "tool_ids": [TOOL_SERVER],
        "messages": [{"role": "user", "content": "please add uptime-kuma"}],
    }  # fmt: skip
    answer = chat.webui.ask("POST", "/api/chat/completions", body)
    (called,) = answer["choices"][0]["message"]["tool_calls"]
    assert called["function"]["name"] == f"{PREFIX}add_service"
    assert (len(chat.model.asked), chat.lab.files()) == (asked + 1, before)
