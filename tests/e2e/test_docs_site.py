"""The documentation's site, built as script/docs-site does, and looked at in a real Chromium.

``HOMELAB_PICTURES=DIR`` keeps pictures there, to be looked at.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.browser import chromium

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(580)]


@pytest.fixture
def site() -> Iterator[str]:
    """Where the built site is served."""
    done = subprocess.run(
        [sys.executable, ROOT / "script" / "docs-site"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr.replace("WARNING: Location", ""), done.stderr
    handler = partial(SimpleHTTPRequestHandler, directory=str(ROOT / "dist" / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_a_newcomer_finds_the_way_by_navigation_and_by_search(site: str, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("HOMELAB_PICTURES") or tmp_path)
    with chromium(tmp_path) as browser:
        browser.look(width=1280)
        browser.open(f"{site}/index.html")
        browser.wait("Your AI runs your homelab")
        browser.picture(pictures / "docs-home.png")
        first = browser.script(
            "return [...document.querySelectorAll('nav.md-nav--primary a')].map(a => a.textContent.trim())"
        )
        assert first.index("Getting started") < first.index("Services") < first.index("Command line")
        # A name that is only on one of the pages that no menu lists.
        browser.script("document.querySelector('[data-md-component=search-query]').focus()")
        browser.keys("AnythingLLM")
        browser.wait("matching document", seconds=60)
        found = browser.script("return document.querySelector('.md-search-result__link').getAttribute('href')")
        assert "services/anything-llm.html" in str(found)
        browser.open(f"{site}/getting-started.html")
        browser.wait("Make it a command")
        browser.picture(pictures / "docs-getting-started.png")
        browser.look(width=390, dark=True)
        browser.open(f"{site}/services/index.html")
        browser.wait("AnythingLLM")
        browser.picture(pictures / "docs-services-small.png")
        outside = browser.script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert [url for url in outside if not url.startswith(site)] == []
