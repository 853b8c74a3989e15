"""The approval page in a real Chromium: by keyboard alone, live, small, dark, and without scripts.

``HOMELAB_PICTURES=DIR`` keeps a picture of each page there, to be looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.plan_codec import seal
from testbed.docker_engine import wait_until
from tests.e2e.browser import ENTER, Browser, chromium
from tests.e2e.server import PIN, LabOnDisk
from tests.e2e.test_page import ALONE, page

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        with chromium(tmp_path_factory.mktemp("chromium")) as found:
            yield found
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def pictures() -> Path | None:
    wanted = os.environ.get("HOMELAB_PICTURES")
    if not wanted:
        return None
    Path(wanted).mkdir(parents=True, exist_ok=True)
    return Path(wanted)


def once_focused(browser: Browser, name: str) -> None:
    """The page puts the cursor there by itself, as soon as it is drawn."""
    wait_until(lambda: browser.focused()["id"] == name or None, f"the focus on {name}", within=10)


def log_in(browser: Browser, url: str) -> None:
    browser.open(url)
    once_focused(browser, "pin")
    browser.keys(PIN + ENTER)
    browser.wait("Log out")


def shown_everywhere(browser: Browser, name: str, folder: Path | None) -> None:
    """At each width in light and dark: nothing sticks out, and text can be told from what is behind it."""
    for width in (360, 1280):
        for dark in (False, True):
            browser.look(width=width, dark=dark)
            if folder is not None:
                browser.picture(folder / f"{name}-{width}-{'dark' if dark else 'light'}.png")
            assert browser.script("return document.documentElement.scrollWidth <= innerWidth"), (name, width)
            assert browser.script(FAINT) == [], (name, dark)
            if width == 360:
                assert browser.script(SMALL) == [], name
                assert browser.script(ROWS) <= 1, (name, "the menu takes more than one row")


FAINT = """
const rgb = c => c.match(/[\\d.]+/g).map(Number);
const light = c => { const [r, g, b] = rgb(c).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b; };
const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
  if (rgb(c)[3] !== 0) return c; } return 'rgb(255,255,255)'; };
const found = [];
for (const e of document.querySelectorAll('body *')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
  const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
  const ratio = (a + .05) / (b + .05);
  if (ratio < 4.5) found.push([e.className || e.tagName, e.innerText.slice(0, 30), ratio]);
}
return found;
"""
"""Elements whose text has a contrast under 4.5:1 (WCAG 2 AA)."""

SMALL = """
return [...document.querySelectorAll('button, select, .button, label.check, input:not([type=hidden], [type=checkbox])')]
  .filter(e => e.checkVisibility() && !e.classList.contains('unseen') && e.getBoundingClientRect().height < 40)
  .map(e => e.outerHTML);
"""
"""Buttons and fields too low for a thumb."""


ROWS = "return new Set([...document.querySelectorAll('nav[aria-label=Pages] a')].map(e => e.offsetTop)).size"


def test_a_plan_is_read_approved_and_applied_by_keyboard_alone(
    lab: LabOnDisk, browser: Browser, pictures: Path | None
) -> None:
    browser.look(width=1280)
    with page(lab, *ALONE) as url:
        browser.open(url)
        shown_everywhere(browser, "login", pictures)
        log_in(browser, url)
        assert "No plan waits for your answer" in browser.text()
        plan = lab.json("add", "uptime-kuma", "--plan-only", code=3)
        # It comes by itself, and says so to who cannot see it.
        browser.wait(plan["summary"])
        assert "1 plan waits" in browser.script("return document.getElementById('news').textContent")
        assert browser.script("return document.title").startswith("(1) ")
        shown_everywhere(browser, "list", pictures)

        browser.open(url)
        seen = browser.tab_to(lambda e: e["id"] == f"p{plan['plan_id']}")
        assert seen[0]["text"] == "Skip to content"
        assert all(e["outline"] >= 2 for e in seen), seen
        browser.keys(ENTER)
        browser.wait("Why this risk")
        for words in ("medium risk", "left", "monitoring/compose.yaml", "+", "louislam/uptime-kuma", "Asked by"):
            assert words in browser.text()
        assert "docker compose up -d" in browser.script(
            "return [...document.querySelectorAll('li code')].map(e => e.innerText)"
        )
        before = browser.script("return document.querySelector('.left').innerText")
        shown_everywhere(browser, "plan", pictures)
        time.sleep(1.1)
        assert browser.script("return document.querySelector('.left').innerText") != before

        seen = browser.tab_to(lambda e: e["id"] == "b-approve")
        assert all(e["outline"] >= 2 for e in seen), seen
        browser.keys(ENTER)
        browser.wait("approved, not applied yet")
        shown_everywhere(browser, "approved", pictures)
        browser.tab_to(lambda e: e["id"] == "b-apply")
        browser.keys(ENTER)
        browser.wait("done and verified", 30)
        shown_everywhere(browser, "done", pictures)
        for place in ("history", "journal"):
            browser.open(url + place)
            assert plan["summary"] in browser.text()
            shown_everywhere(browser, place, pictures)
        assert "The journal is whole" in browser.text()
        browser.open(f"{url}set?stack=core")
        shown_everywhere(browser, "set", pictures)
        browser.open(f"{url}set?stack=fresh&name=TUNNEL_TOKEN&name=OTHER_KEY")
        once_focused(browser, "value")  # what is asked for is what is typed first
        shown_everywhere(browser, "set-asked", pictures)
    assert "uptime-kuma" in (lab.root / "monitoring" / "compose.yaml").read_text()
    assert not [m for m in browser.complaints() if "Security Policy" in m or "Uncaught" in m]


def test_high_risk_needs_its_name_and_an_answer_elsewhere_shows_here(
    lab: LabOnDisk, browser: Browser, pictures: Path | None
) -> None:
    plan = lab.json("add", "dozzle", "--plan-only", code=3)
    assert plan["risk"] == "high"
    with page(lab, *ALONE) as url:
        browser.look(width=360)
        log_in(browser, f"{url}plans/{plan['plan_id']}")
        browser.wait("High risk: type")
        browser.tab_to(lambda e: e["id"] == "name")
        browser.keys("dozzl" + ENTER)
        browser.wait("choose one of the buttons")
        once_focused(browser, "name")
        browser.tab_to(lambda e: e["id"] == "b-approve-apply")
        browser.keys(ENTER)
        browser.wait("type its name")
        shown_everywhere(browser, "wrong-name", pictures)
        assert lab.json("plan", plan["plan_id"])["state"] == "pending"
        # Somebody says no in a terminal while the person here still types.
        browser.tab_to(lambda e: e["id"] == "reason")
        lab.approve(plan["plan_id"], "--decline", "--reason", "not on this machine")
        browser.wait("not on this machine")
        assert "our answer" not in browser.text()
        shown_everywhere(browser, "declined", pictures)
        browser.open(f"{url}plans/{'0' * 32}")
        shown_everywhere(browser, "unknown", pictures)


def test_it_works_without_scripts(lab: LabOnDisk, browser: Browser) -> None:
    plan = lab.json("add", "uptime-kuma", "--plan-only", code=3)
    with page(lab, *ALONE) as url:
        browser.without_scripts()
        try:
            log_in(browser, url)
            browser.tab_to(lambda e: e["id"] == f"p{plan['plan_id']}")
            browser.keys(ENTER)
            browser.wait("Why this risk")
            browser.tab_to(lambda e: e["id"] == "b-approve-apply")
            browser.keys(ENTER)
            browser.wait("done and verified", 30)
        finally:
            browser.without_scripts(False)


def test_the_page_with_fifty_plans_is_quick(lab: LabOnDisk, browser: Browser, pictures: Path | None) -> None:
    made = lab.json("add", "uptime-kuma", "--plan-only", code=3)["plan_id"]
    store = open_lab(str(lab.root), files_only=True).plans
    pattern = store.get(made)
    for number in range(49):
        copy = seal(replace(pattern, id=f"{number:032x}", created=pattern.created + number / 100))
        store.add(copy)
    with page(lab, *ALONE) as url:
        browser.look(width=1280)
        log_in(browser, url)
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            browser.open(url)
            took.append(time.perf_counter() - begun)
        assert browser.text().count("medium risk") == 50
        server = browser.script(
            "const n = performance.getEntriesByType('navigation')[0]; return n.responseEnd - n.requestStart"
        )
        print(f"list of 50 plans: server {server:.0f} ms, shown after {sorted(took)[2] * 1000:.0f} ms")
        assert sorted(took)[2] < 3
