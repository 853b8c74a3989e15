"""A real OpenWebUI, headless and on loopback alone, as its administrator and its users come to it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from testbed import free_port
from tests.e2e.browser import Browser
from tests.e2e.child import listening

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".openwebui" / "webui" / "bin" / "open-webui"
STARTS_WITHIN = 480.0
"""Seconds. It migrates a new database through all its versions first: 70 s were measured on two busy processors,
318 s where twelve others wanted each of them."""

TOOL_SERVER = "server:mcp:homelab"
"""Our server among the tools that a chat can have: the id that ``connect openwebui`` gives it."""


@dataclass(frozen=True, slots=True)
class OpenWebui:
    """One that runs. ``session`` is the token of its administrator's session, as the browser keeps it."""

    address: str
    session: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call of its API, as the administrator."""
        headers = {"Authorization": f"Bearer {self.session}"}
        answer = httpx.request(method, self.address + path, json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        return answer.json()

    def open_chat(self, browser: Browser, model: str) -> None:
        """A new chat with that model and our tools, in the browser, logged in."""
        browser.open(f"{self.address}/auth")
        browser.script(
            "localStorage.setItem('token', arguments[0]); localStorage.setItem('locale', 'en-US')", self.session
        )
        browser.open(f"{self.address}/?models={model}&tools={TOOL_SERVER}")
        until(browser, "return !!document.getElementById('chat-input')")
        browser.script(NO_NEWS)


NO_NEWS = """
const close = () => [...document.querySelectorAll('button')].find(b => b.innerText.startsWith('Okay'))?.click();
close(); setInterval(close, 300);
"""
"""Closes what the page tells of its new version whenever it comes; it lies over the chat."""


def until(browser: Browser, question: str, seconds: float = 60) -> None:
    """Until the page answers a question (JavaScript) with yes."""
    end = time.monotonic() + seconds
    while not browser.script(question):
        assert time.monotonic() < end, (question, browser.text()[-2000:], browser.complaints()[-10:])
        time.sleep(0.2)


def say(browser: Browser, words: str) -> None:
    """Write into the chat, and send it."""
    end = time.monotonic() + 60
    # What opens or closes over the chat meanwhile takes keys away, as from a person, who looks and types again.
    while browser.script(WRITTEN) != words:
        assert time.monotonic() < end, browser.text()[-2000:]
        browser.script(EMPTIED)
        browser.keys(words)
        time.sleep(0.5)
    until(browser, "const b = document.getElementById('send-message-button'); return !!b && !b.disabled")
    browser.script("document.getElementById('send-message-button').click()")


WRITTEN = "return document.getElementById('chat-input').innerText.trim()"
EMPTIED = """
document.getElementById('chat-input').focus();
document.execCommand('selectAll'); document.execCommand('delete');
"""


@contextmanager
def openwebui(folder: Path, models: str) -> Iterator[OpenWebui]:
    """OpenWebUI with a database of its own in ``folder``, and with the models that ``models`` (a URL) offers."""
    subprocess.run([ROOT / "script" / "openwebui", "--quiet"], check=True, timeout=900)
    port = free_port()
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "DATA_DIR": str(folder / "data"),
        "WEBUI_SECRET_KEY": "of-a-test",
        "OPENAI_API_BASE_URL": models,
        "OPENAI_API_KEY": "none-is-needed",
        "ENABLE_OLLAMA_API": "false",
        # Nothing is fetched: neither models for search in documents, nor news of versions.
        "OFFLINE_MODE": "true",
        "HF_HUB_OFFLINE": "1",
        "RAG_EMBEDDING_ENGINE": "openai",
        "ANONYMIZED_TELEMETRY": "false",
        # Titles, tags and suggestions would be asked of the model too.
        "ENABLE_TITLE_GENERATION": "false",
        "ENABLE_TAGS_GENERATION": "false",
        "ENABLE_FOLLOW_UP_GENERATION": "false",
        "ENABLE_AUTOCOMPLETE_GENERATION": "false",
    }
    argv = ["nice", "-n", "5", str(PROGRAM), "serve", "--host", "127.0.0.1", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with listening(argv, f"{address}/health", folder / "openwebui.log", env, within=STARTS_WITHIN):
        person = {"name": "Anna", "email": "anna@lab.test", "password": "correct-horse-battery"}
        made = httpx.post(f"{address}/api/v1/auths/signup", json=person, timeout=60).json()
        # Whoever comes first is the administrator.
        assert made.get("role") == "admin", made
        yield OpenWebui(address, made["token"])
