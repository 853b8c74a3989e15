"""The page that shows a plan, in a published host of MCP Apps: MCP Inspector's web client, in a real Chromium.

The stand-in of mcp_app_host.py says what a host may do; this one says that a real one finds the page, gives it the
answer of the tool it called itself, and leaves it alone. ``HOMELAB_PICTURES=DIR`` keeps a picture.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.e2e.browser import Browser, chromium
from tests.e2e.http_server import serving
from tests.e2e.inspector_host import inspector_host
from tests.e2e.server import LabOnDisk

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(580)]

MARKUP = "<img src=x onerror=parent.hacked=1>"
COMPOSE = f"services:\n  blog:\n    # {MARKUP}\n    image: ghost:5.1\n"


def opened(browser: Browser) -> str:
    """Go to the window that was opened; where it leads, as text."""
    end = time.monotonic() + 60
    while len(handles := browser.ask("GET", "/window/handles")) < 2:
        assert time.monotonic() < end, "no window was opened"
        time.sleep(0.2)
    browser.ask("POST", "/window", {"handle": handles[1]})
    browser.wait("PIN", seconds=60)
    return unquote(str(browser.script("return location.href")))


def test_a_published_host_calls_the_tool_and_shows_its_plan(tmp_path: Path) -> None:
    lab = LabOnDisk(tmp_path / "stacks", {"HOMELAB_FILES_ONLY": "1"})
    (lab.root / "apps").mkdir(parents=True)
    (lab.root / "homelab.yaml").write_text("domain: lab.test\n")
    (lab.root / "apps" / "compose.yaml").write_text(COMPOSE)
    before = lab.files()
    folder = Path(os.environ.get("HOMELAB_PICTURES") or tmp_path)
    with serving(lab) as served, inspector_host(tmp_path) as host, chromium(tmp_path) as browser:
        browser.look(width=1280, height=1400)
        host.show(browser, served.url, "update_service", {"service": "blog", "tag": "5.2"})
        host.inside(browser)
        browser.wait("waits for your answer")
        (plan,) = lab.json("plan")["plans"]
        text = browser.text()
        for words in (plan["summary"], "medium risk", "apps/compose.yaml", MARKUP, "cannot approve", plan["plan_id"]):
            assert words in text, words
        rows = browser.script(
            "return [...document.querySelectorAll('.l.add, .l.del')].map(e => e.innerText.replace(/\\s+/g, ' '))"
        )
        assert [row.strip() for row in rows] == ["- image: ghost:5.1", "+ image: ghost:5.2"]
        # What a real host makes of its promises: an origin of nobody's, nothing fetched, nothing run.
        assert browser.script("return window.origin") == "null"
        assert browser.script("return performance.getEntriesByType('resource').length") == 0
        assert browser.script("return document.querySelectorAll('#plan :is(script, img, iframe)').length") == 0
        browser.script("document.querySelector('button').click()")
        assert opened(browser).endswith(f"/plans/{plan['plan_id']}")
        browser.wait("approvals")
        browser.ask("POST", "/window", {"handle": browser.ask("GET", "/window/handles")[0]})
        assert browser.script("return window.hacked === undefined")
        browser.picture(folder / "plan-app-in-inspector.png")
    assert plan["state"] == "pending"
    assert lab.files() == before
