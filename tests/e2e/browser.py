"""A real Chromium, driven over the W3C WebDriver protocol by Debian's chromedriver; no library between."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from testbed import free_port

TAB, ENTER, SHIFT = "\ue004", "\ue007", "\ue008"
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
MISSING = (
    "no chromium and chromedriver on PATH: run script/setup --browser (or: apt-get install chromium chromium-driver)"
)


class Browser:
    """One window."""

    def __init__(self, http: httpx.Client, session: str) -> None:
        self._http = http
        self._session = session

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(method, f"/session/{self._session}{path}", json=body)
        value = answer.json()["value"]
        assert answer.status_code == 200, value
        return value

    def open(self, url: str) -> None:
        self.ask("POST", "/url", {"url": url})

    def script(self, text: str, *arguments: Any) -> Any:
        return self.ask("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def keys(self, text: str, *, held: str = "") -> None:
        """Press the keys of the text one after the other, with ``held`` down meanwhile."""
        actions = [{"type": "keyDown", "value": held}] if held else []
        for key in text:
            actions += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        if held:
            actions.append({"type": "keyUp", "value": held})
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def text(self) -> str:
        return str(self.script("return document.body.innerText"))

    def focused(self) -> dict[str, Any]:
        """The focused element: tag, id, name, text, and how wide its outline is."""
        found: dict[str, Any] = self.script(
            "const e = document.activeElement, s = getComputedStyle(e);"
            "return {tag: e.tagName, id: e.id, name: e.name || '', text: e.innerText || '', outline: s.outlineStyle"
            " === 'none' ? 0 : parseFloat(s.outlineWidth)}"
        )
        return found

    def tab_to(self, fits: Callable[[dict[str, Any]], bool], most: int = 60) -> list[dict[str, Any]]:
        """Press Tab until what has the focus fits; everything that had it on the way."""
        seen = []
        for _ in range(most):
            self.keys(TAB)
            seen.append(self.focused())
            if fits(seen[-1]):
                return seen
        raise AssertionError(seen)

    def wait(self, words: str, seconds: float = 15) -> None:
        """Until the page shows these words."""
        end = time.monotonic() + seconds
        while words not in (text := self.text()):
            assert time.monotonic() < end, (words, text)
            time.sleep(0.1)

    def look(self, *, width: int, height: int = 800, dark: bool = False) -> None:
        """The size of the window, and what the person prefers."""
        self._devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self._devtools("Emulation.setEmulatedMedia", features=features)

    def without_scripts(self, off: bool = True) -> None:
        self._devtools("Emulation.setScriptExecutionDisabled", value=off)

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = self._devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def hide_scrollbars(self) -> None:
        """For pictures: what a phone shows only while it scrolls."""
        self._devtools("Emulation.setScrollbarsHidden", hidden=True)

    def complaints(self) -> list[str]:
        """What the console says: refused scripts and styles, errors, missing files."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def _devtools(self, command: str, **params: Any) -> Any:
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": params})


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A headless Chromium with a profile of its own in ``folder``. Raises FileNotFoundError where there is none."""
    driver, program = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("chromium-browser")
    if not driver or not program:
        raise FileNotFoundError(MISSING)
    port = free_port()
    with (folder / "chromedriver.log").open("wb") as log:
        process = subprocess.Popen([driver, f"--port={port}"], stdout=log, stderr=log)
    options = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder / 'profile'}"]
    if os.getuid() == 0:
        options.append("--no-sandbox")  # Chromium's sandbox refuses root
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": program, "args": options},
        "goog:loggingPrefs": {"browser": "ALL"},
        # A page that has just been loaded answers late on a busy machine.
        "timeouts": {"script": 120_000},
    }
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=150, trust_env=False) as http:
            _until_ready(http)
            made = http.post("/session", json={"capabilities": {"alwaysMatch": wanted}}).json()["value"]
            assert "sessionId" in made, made
            try:
                yield Browser(http, made["sessionId"])
            finally:
                http.delete(f"/session/{made['sessionId']}")
    finally:
        process.terminate()
        process.wait(10)


def _until_ready(http: httpx.Client) -> None:
    for _ in range(100):
        try:
            if http.get("/status").json()["value"]["ready"]:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("chromedriver does not answer")
